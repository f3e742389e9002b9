/** What each row's broker has to do with the bytes. */
export type Outcome = "close" | { readonly answer: string; readonly afterwards: "close" | "open" };

/** A sequence of packets in hex and what must happen; `C` is a good CONNECT that was answered before. */
export interface Row {
  /** Normative statement of MQTT 3.1.1, or its section. */
  readonly clause: string;
  readonly what: string;
  readonly connected: boolean;
  readonly hex: string;
  readonly expect: Outcome;
}

const open = (answer: string): Outcome => ({ answer, afterwards: "open" });
const said = (answer: string): Outcome => ({ answer, afterwards: "close" });
const first = (clause: string, what: string, hex: string, expect: Outcome): Row => ({
  clause,
  what,
  connected: false,
  hex,
  expect,
});
const after = (clause: string, what: string, hex: string, expect: Outcome): Row => ({
  clause,
  what,
  connected: true,
  hex,
  expect,
});

const MQTT4 = "0004 4d515454 04";
const PONG = "d000";
const PING = "c000";
/** What passes silently is followed by a ping, so that its answer shows that the connection lives. */
const alive = open(PONG);

export const rows: readonly Row[] = [
  // CONNECT
  first("3.1", "a plain CONNECT is answered", `10 0d ${MQTT4} 02 0000 0001 61`, open("20020000")),
  first("MQTT-3.1.0-1", "the first packet is PUBLISH", "30 05 0001 61 78 79", "close"),
  first("MQTT-3.1.0-1", "the first packet is SUBSCRIBE", "82 06 0001 0001 61 00", "close"),
  first("MQTT-3.1.0-1", "the first packet is PINGREQ", PING, "close"),
  first("MQTT-3.1.0-1", "the first packet is DISCONNECT", "e000", "close"),
  first("MQTT-3.1.0-1", "the first packet is CONNACK", "20020000", "close"),
  first("MQTT-3.1.0-1", "the first packet is PUBACK", "40020001", "close"),
  after("MQTT-3.1.0-2", "a second CONNECT", `10 0d ${MQTT4} 02 0000 0001 61`, "close"),
  first("MQTT-3.1.2-1", "another protocol name", "10 0d 0004 4d515455 04 02 0000 0001 61", "close"),
  first("MQTT-3.1.2-1", "HTTP", "474554202f20485454502f312e310d0a0d0a", "close"),
  first("MQTT-3.1.2-1", "an empty protocol name", "10 09 0000 04 02 0000 0001 61", "close"),
  first("MQTT-3.1.2-2", "level 3 of MQTT", "10 0d 0004 4d515454 03 02 0000 0001 61", said("20020001")),
  first("MQTT-3.1.2-2", "level 6", "10 0d 0004 4d515454 06 02 0000 0001 61", said("20020001")),
  first("MQTT-3.1.2-2", "level 0", "10 0d 0004 4d515454 00 02 0000 0001 61", said("20020001")),
  first("MQTT-3.1.2-2", "a bridge's level 0x84", "10 0d 0004 4d515454 84 02 0000 0001 61", said("20020001")),
  first("MQTT-3.1.2-2", "MQIsdp, the name of 3.1", "10 0f 0006 4d5149736470 03 02 0000 0001 61", said("20020001")),
  first(
    "MQTT5 3.2.2.2",
    "MQTT 5 gets its own refusal",
    "10 0e 0004 4d515454 05 02 0000 00 0001 61",
    said("2003008400"),
  ),
  first(
    "MQTT5 3.2.2.2",
    "MQTT 5 with properties",
    "10 13 0004 4d515454 05 02 0000 05 11 00000000 0001 61",
    said("2003008400"),
  ),
  first("MQTT-3.1.2-3", "the reserved flag of CONNECT", `10 0d ${MQTT4} 03 0000 0001 61`, "close"),
  first("MQTT-2.2.2-2", "flags in the first byte of CONNECT", `11 0d ${MQTT4} 02 0000 0001 61`, "close"),
  first("MQTT-2.2.2-2", "all flags in the first byte of CONNECT", `1f 0d ${MQTT4} 02 0000 0001 61`, "close"),
  first("MQTT-3.1.2-11", "will QoS without a will", `10 0d ${MQTT4} 0a 0000 0001 61`, "close"),
  first("MQTT-3.1.2-13", "will QoS 2 without a will", `10 0d ${MQTT4} 12 0000 0001 61`, "close"),
  first("MQTT-3.1.2-14", "will QoS 3", `10 13 ${MQTT4} 1e 0000 0001 61 0001 77 0001 78`, "close"),
  first("MQTT-3.1.2-15", "will retain without a will", `10 0d ${MQTT4} 22 0000 0001 61`, "close"),
  first("MQTT-3.1.2-9", "a will flag without will fields", `10 0d ${MQTT4} 06 0000 0001 61`, "close"),
  first("MQTT-3.1.2-9", "a will topic without a message", `10 10 ${MQTT4} 06 0000 0001 61 0001 77`, "close"),
  first("MQTT-3.1.3-10", "a will topic that is no UTF-8", `10 13 ${MQTT4} 06 0000 0001 61 0001 ff 0001 78`, "close"),
  first("MQTT-4.7.1-1", "a will topic with a wildcard", `10 13 ${MQTT4} 06 0000 0001 61 0001 23 0001 78`, "close"),
  first("MQTT-4.7.3-1", "an empty will topic", `10 12 ${MQTT4} 06 0000 0001 61 0000 0001 78`, "close"),
  first("3.1.2.5", "a good will", `10 13 ${MQTT4} 06 0000 0001 61 0001 77 0001 78`, open("20020000")),
  first("MQTT-3.1.2-19", "a user flag without a user", `10 0d ${MQTT4} 82 0000 0001 61`, "close"),
  first("MQTT-3.1.2-22", "a password without a user", `10 10 ${MQTT4} 42 0000 0001 61 0001 70`, "close"),
  first("MQTT-3.1.2-21", "a password flag without a password", `10 10 ${MQTT4} c2 0000 0001 61 0001 75`, "close"),
  first("MQTT-3.1.3-11", "a user name that is no UTF-8", `10 10 ${MQTT4} 82 0000 0001 61 0001 ff`, "close"),
  first("MQTT-3.1.3-4", "a client id that is no UTF-8", `10 0d ${MQTT4} 02 0000 0001 ff`, "close"),
  first("MQTT-1.5.3-1", "a surrogate in the client id", `10 0f ${MQTT4} 02 0000 0003 eda080`, "close"),
  first("MQTT-1.5.3-2", "U+0000 in the client id", `10 0d ${MQTT4} 02 0000 0001 00`, "close"),
  first("MQTT-1.5.3-1", "overlong UTF-8 in the client id", `10 0e ${MQTT4} 02 0000 0002 c080`, "close"),
  first("MQTT-3.1.3-3", "no client id at all", `10 0a ${MQTT4} 02 0000`, "close"),
  first("MQTT-3.1.3-6", "an empty client id with clean=1", `10 0c ${MQTT4} 02 0000 0000`, open("20020000")),
  first("MQTT-3.1.3-8", "an empty client id with clean=0", `10 0c ${MQTT4} 00 0000 0000`, said("20020002")),
  first("CVE-2017-7650", "a client id #", `10 0d ${MQTT4} 02 0000 0001 23`, said("20020002")),
  first("CVE-2017-7650", "a client id +", `10 0d ${MQTT4} 02 0000 0001 2b`, said("20020002")),
  first("CVE-2017-7650", "a client id with /", `10 0f ${MQTT4} 02 0000 0003 612f62`, said("20020002")),
  first("1.5.3", "a control character in the client id", `10 0d ${MQTT4} 02 0000 0001 0a`, said("20020002")),
  first("CVE-2017-7650", "a user name #", `10 10 ${MQTT4} 82 0000 0001 61 0001 23`, said("20020004")),
  first("MQTT-3.2.2-4", "a wrong user", `10 10 ${MQTT4} 82 0000 0001 61 0001 75`, said("20020004")),
  first("2.2.3", "bytes after the last field of CONNECT", `10 0e ${MQTT4} 02 0000 0001 61 00`, "close"),
  first("2.2.3", "a remaining length of five bytes", "10 8080808001", "close"),
  first("CVE-2017-7651", "a CONNECT of 200 MB", "10 ffffff7f", "close"),
  first("16 KiB", "a CONNECT of 20,000 bytes", "10 a09c01 0004", "close"),
  first(
    "2.2.3",
    "the length in more bytes than needed is allowed",
    `10 8d00 ${MQTT4} 02 0000 0001 61`,
    open("20020000"),
  ),
  first(
    "MQTT-3.1.4-5",
    "what comes with CONNECT waits for CONNACK",
    `10 0d ${MQTT4} 02 0000 0001 61 ${PING}`,
    open("20020000d000"),
  ),
  first(
    "MQTT-3.1.0-2",
    "two CONNECTs at once",
    `10 0d ${MQTT4} 02 0000 0001 61 10 0d ${MQTT4} 02 0000 0001 61`,
    said("20020000"),
  ),
  // PUBLISH
  after("3.3", "QoS 0", `30 05 0001 61 7879 ${PING}`, alive),
  after("MQTT-3.3.4-1", "QoS 1 is acknowledged", "32 07 0001 61 0005 7879", open("40020005")),
  after("MQTT-3.3.4-1", "QoS 2 is received", "34 07 0001 61 0005 7879", open("50020005")),
  after("MQTT-3.3.1-2", "DUP at QoS 0", "38 05 0001 61 7879", "close"),
  after("MQTT-3.3.1-4", "QoS 3", "36 07 0001 61 0005 7879", "close"),
  after("MQTT-3.3.1-4", "QoS 3 with DUP and RETAIN", "3f 07 0001 61 0005 7879", "close"),
  after("MQTT-2.3.1-1", "packet id 0 at QoS 1", "32 07 0001 61 0000 7879", "close"),
  after("MQTT-2.3.1-1", "packet id 0 at QoS 2", "34 07 0001 61 0000 7879", "close"),
  after("2.3.1", "no packet id at QoS 1", "32 03 0001 61", "close"),
  after("2.3.1", "half a packet id", "32 04 0001 61 00", "close"),
  after("MQTT-3.3.2-1", "a topic that is no UTF-8", "30 04 0001 ff 78", "close"),
  after("MQTT-1.5.3-1", "a surrogate in the topic", "30 06 0003 edbfbf 78", "close"),
  after("MQTT-1.5.3-2", "U+0000 in the topic", "30 06 0003 610062 78", "close"),
  after("MQTT-1.5.3-3", "U+FEFF in the topic is kept", `30 06 0003 efbbbf 78 ${PING}`, alive),
  after("MQTT-3.3.2-2", "# in the topic", "30 06 0003 612f23 78", "close"),
  after("MQTT-3.3.2-2", "+ in the topic", "30 06 0003 612f2b 78", "close"),
  after("MQTT-4.7.3-1", "an empty topic", "30 03 0000 78", "close"),
  after("3.3.2", "a topic longer than the packet", "30 04 0009 61 78", "close"),
  after("3.3.2", "a PUBLISH without a topic", "30 00", "close"),
  after("3.3.2", "a PUBLISH with one byte", "30 01 00", "close"),
  after("3.3.3", "nothing to say is allowed", `30 03 0001 61 ${PING}`, alive),
  after("MQTT-4.7.2", "$SYS is not for clients", "30 07 0004 24535953 78", "close"),
  after("256 KiB", "a packet over the limit", "30 ffff7f 0001 61", "close"),
  after("2.2.3", "a remaining length of five bytes", "30 ffffffffff", "close"),
  // Acknowledgements
  after("MQTT-3.6.1-1", "PUBREL without its flags", "60 02 0001", "close"),
  after("MQTT-3.6.1-1", "PUBREL with all flags", "6f 02 0001", "close"),
  after("MQTT-4.3.3-2", "PUBREL of something unknown is completed", "62 02 0009", open("70020009")),
  after("MQTT-2.2.2-2", "flags of PUBACK", "41 02 0001", "close"),
  after("MQTT-2.2.2-2", "flags of PUBREC", "52 02 0001", "close"),
  after("MQTT-2.2.2-2", "flags of PUBCOMP", "74 02 0001", "close"),
  after("2.3.1", "PUBACK of id 0", "40 02 0000", "close"),
  after("2.3.1", "PUBREC of id 0", "50 02 0000", "close"),
  after("2.3.1", "PUBREL of id 0", "62 02 0000", "close"),
  after("3.4.1", "PUBACK that is too short", "40 01 00", "close"),
  after("3.4.1", "PUBACK that is too long", "40 03 000100", "close"),
  after("3.5.1", "PUBREC that is empty", "50 00", "close"),
  after("3.7.1", "PUBCOMP that is too long", "70 04 00010002", "close"),
  after("4.3", "PUBACK of something never sent is ignored", `40 02 0007 ${PING}`, alive),
  // SUBSCRIBE
  after("MQTT-3.8.4-1", "SUBSCRIBE is acknowledged", "82 06 0003 0001 61 01", open("9003000301")),
  after(
    "MQTT-3.8.4-5",
    "each filter has its code",
    "82 0e 0003 0001 61 00 0001 62 01 0001 63 02",
    open("90050003000102"),
  ),
  after("MQTT-3.8.1-1", "SUBSCRIBE without its flags", "80 06 0003 0001 61 01", "close"),
  after("MQTT-3.8.1-1", "SUBSCRIBE with other flags", "86 06 0003 0001 61 01", "close"),
  after("MQTT-2.3.1-1", "SUBSCRIBE with id 0", "82 06 0000 0001 61 01", "close"),
  after("MQTT-3.8.3-3", "SUBSCRIBE without a filter", "82 02 0003", "close"),
  after("MQTT-3-8.3-4", "QoS 3 asked for", "82 06 0003 0001 61 03", "close"),
  after("MQTT-3-8.3-4", "reserved bits beside the QoS", "82 06 0003 0001 61 81", "close"),
  after("3.8.3", "a filter without a QoS", "82 05 0003 0001 61", "close"),
  after("MQTT-3.8.3-1", "a filter that is no UTF-8", "82 06 0003 0001 ff 00", "close"),
  after("MQTT-4.7.3-1", "an empty filter", "82 05 0003 0000 00", "close"),
  after("MQTT-4.7.3-2", "U+0000 in a filter", "82 06 0003 0001 00 00", "close"),
  after("MQTT-4.7.1-2", "# that is not last", "82 08 0003 0003 232f61 00", "close"),
  after("MQTT-4.7.1-2", "# that is not a whole level", "82 07 0003 0002 6123 00", "close"),
  after("MQTT-4.7.1-3", "+ that is not a whole level", "82 07 0003 0002 612b 00", "close"),
  after("MQTT-4.7.1-3", "+ before a letter", "82 07 0003 0002 2b61 00", "close"),
  after("MQTT-4.7.1-3", "+/# is a good filter", "82 08 0003 0003 2b2f23 00", open("9003000300")),
  after("4.7.3", "a single / is a good filter", "82 06 0003 0001 2f 00", open("9003000300")),
  // UNSUBSCRIBE, PINGREQ, DISCONNECT
  after("MQTT-3.10.4-4", "UNSUBSCRIBE is acknowledged", "a2 05 0004 0001 61", open("b0020004")),
  after("MQTT-3.10.4-5", "UNSUBSCRIBE of nothing known is acknowledged", "a2 05 0004 0001 7a", open("b0020004")),
  after("MQTT-3.10.1-1", "UNSUBSCRIBE without its flags", "a0 05 0004 0001 61", "close"),
  after("MQTT-3.10.3-2", "UNSUBSCRIBE without a filter", "a2 02 0004", "close"),
  after("MQTT-2.3.1-1", "UNSUBSCRIBE with id 0", "a2 05 0000 0001 61", "close"),
  after("MQTT-3.10.3-1", "UNSUBSCRIBE of a filter that is no UTF-8", "a2 05 0004 0001 ff", "close"),
  after("MQTT-3.12.4-1", "PINGREQ is answered", PING, alive),
  after("MQTT-2.2.2-2", "flags of PINGREQ", "c1 00", "close"),
  after("3.12", "PINGREQ with a body", "c0 01 00", "close"),
  after("MQTT-3.14.4-2", "DISCONNECT closes", "e000", "close"),
  after("MQTT-3.14.1-1", "flags of DISCONNECT", "e1 00", "close"),
  after("3.14", "DISCONNECT with a body", "e0 01 00", "close"),
  // What only a server sends, and what nobody does
  after("MQTT-2.2.2-2", "packet type 0", "00 00", "close"),
  after("MQTT-2.2.2-2", "packet type 15", "f0 00", "close"),
  after("3.2", "CONNACK from a client", "20 02 0000", "close"),
  after("3.9", "SUBACK from a client", "90 03 000100", "close"),
  after("3.11", "UNSUBACK from a client", "b0 02 0001", "close"),
  after("3.13", "PINGRESP from a client", "d0 00", "close"),
];
