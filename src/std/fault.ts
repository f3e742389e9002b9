/**
 * Every way this product fails, in one table: `retry` is for code, `hint` for people.
 * `docs/faults.md` is printed from it and `test/docs.test.ts` proves the two agree.
 */
export const faults = {
  CONFIG_INVALID: { retry: false, hint: "Correct the field that the message names." },
  USAGE_INVALID: { retry: false, hint: "See the command's --help." },
  PORT_IN_USE: { retry: false, hint: "Stop what listens there, or choose another port in the configuration." },
  ALREADY_RUNNING: { retry: false, hint: "Stop the other one first, or give this one a data directory of its own." },
  PERMISSION_MISSING: { retry: false, hint: "Give this user the right on the path or port that the message names." },
  DATABASE_CORRUPT: { retry: false, hint: "The file was set aside; restore a backup or let the node rebuild it." },
  DISK_FULL: { retry: true, hint: "Free space on the disk that holds the data directory." },
  DISK_FAILED: {
    retry: true,
    hint: "The disk that holds the data directory does not read or write; look at the kernel's log and replace it.",
  },
  LINK_LOST: { retry: true, hint: "Check the cable, the address of the link and whether the device is on." },
  DEVICE_TIMEOUT: { retry: true, hint: "The device is silent; check its power and unit, or raise the link's timeout." },
  DEVICE_REFUSED: {
    retry: false,
    hint: "The device rejected the address or value; compare the model with its manual.",
  },
  ANSWER_INVALID: { retry: true, hint: "The device or a gateway sent bytes that break the protocol; check the line." },
  DRIVER_UNKNOWN: { retry: false, hint: "Use one of the protocols that the message lists." },
  MODEL_UNKNOWN: { retry: false, hint: "Apply the DeviceModel, or correct spec.model." },
  DEVICE_UNKNOWN: { retry: false, hint: "List the devices with: edgeadm device list" },
  PROPERTY_UNKNOWN: { retry: false, hint: "Use one of the properties of the device's model." },
  COMMAND_UNKNOWN: { retry: false, hint: "Use one of the commands of the device's model." },
  COMMAND_LATE: { retry: false, hint: "The deadline passed before the device was told; nothing was done." },
  COMMAND_UNSURE: {
    retry: false,
    hint: "It may have been done or not, and is not repeated; look at the device and send a new id if needed.",
  },
  VALUE_INVALID: { retry: false, hint: "Give a value of the property's type." },
  VALUE_OUT_OF_RANGE: { retry: false, hint: "Give a value between the property's minimum and maximum." },
  PROPERTY_READ_ONLY: { retry: false, hint: "Only properties with access readwrite or write can be desired." },
  MESSAGE_INVALID: { retry: false, hint: "Correct what publishes it; the message was ignored." },
  TOPIC_INVALID: { retry: false, hint: "Names in topics may not be empty or contain '/', '+', '#' or NUL." },
  FRAME_INVALID: { retry: true, hint: "The other side speaks another version or the bytes were damaged." },
  VERSION_UNSUPPORTED: { retry: false, hint: "Bring edge and cloud to versions at most one apart." },
  UPLINK_LOST: { retry: true, hint: "Check the network to the cloud; the site goes on meanwhile." },
  IDENTITY_REFUSED: { retry: false, hint: "Join the node again with a new token: edgeadm token create" },
  IDENTITY_DAMAGED: {
    retry: false,
    hint: "Restore the file that the message names from a backup. A node can also join again, with a new token and --force.",
  },
  NODE_DUPLICATE: {
    retry: true,
    hint: "Two machines have one identity, or this data is an old copy. Stop one; to keep both, give this one a token of its own: edgeadm join --force",
  },
  TOKEN_INVALID: { retry: false, hint: "Tokens are used once and expire; create one with: edgeadm token create" },
  SITE_UNREACHABLE: { retry: true, hint: "Check the address, and that the node runs there: edgeadm run edge" },
  CLUSTER_UNREACHABLE: { retry: true, hint: "Check the kubeconfig and the network to the cluster." },
  CLUSTER_REFUSED: { retry: false, hint: "Check the rights of the kubeconfig's user and the object's fields." },
  TELEMETRY_UNREACHABLE: {
    retry: true,
    hint: "Check that the telemetry engine of the cloud runs and can be reached; nodes keep their rows meanwhile.",
  },
  BROKER_LOST: {
    retry: true,
    hint: "Check mqtt.external and that broker; the node tells it its state when it is back.",
  },
  OVERLOADED: { retry: true, hint: "Send less, or later; a limit protected the node." },
} as const satisfies Record<string, { readonly retry: boolean; readonly hint: string }>;

/** Stable identifier of a failure. Logs, API bodies, conditions and exit codes use it; nobody matches on messages. */
export type FaultCode = keyof typeof faults;

/** Whether a text, such as one of another program, is a code of this table. */
export function isFaultCode(text: string): text is FaultCode {
  return Object.hasOwn(faults, text);
}

/** The only error class that is thrown on purpose. Anything else that escapes is a bug. */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  /** Facts for the log line, such as `{ device: "boiler-1", timeoutMs: 1000 }`. Never secrets. */
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(code: FaultCode, message: string, { cause, ...detail }: { readonly [fact: string]: unknown } = {}) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.detail = detail;
  }

  /** True when the same call may succeed later although nobody changes anything. */
  get retry(): boolean {
    return faults[this.code].retry;
  }

  /** What the operator can do about it; `hint` of the details where the place knows a better way out. */
  get hint(): string {
    const { hint } = this.detail;
    return typeof hint === "string" ? hint : faults[this.code].hint;
  }

  /** Narrows an unknown error to a fault, optionally to one of the given codes. */
  static is(error: unknown, ...codes: readonly FaultCode[]): error is Fault {
    return error instanceof Fault && (codes.length === 0 || codes.includes(error.code));
  }
}
