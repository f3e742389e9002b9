/** What `edgeadm run dev` shows: pure functions from the state of the stack to lines. */
import type { DeviceReport } from "#devices/status";
import { showValue } from "../devices/lines.ts";
import { age, table } from "../table.ts";
import type { Endpoints } from "./stack.ts";

/** What the picture is made of. */
export interface DevState {
  readonly node: string;
  readonly uplink: { readonly online: boolean; readonly since: number; readonly reason: string };
  /** Rows that wait for the cloud. */
  readonly backlog: number;
  /** Values read since the start. */
  readonly values: number;
  readonly devices: readonly (DeviceReport & { readonly units: Readonly<Record<string, string | undefined>> })[];
}

/** How the picture may look. */
export interface Look {
  readonly nowMs: number;
  readonly hasColor: boolean;
}

const GREEN = "32";
const YELLOW = "33";
const RED = "31";
const BOLD = "1";
const DIM = "2";

/** Where everything listens, and what to try. @param edgeadm - how the user calls this program. */
export function bannerLines(
  endpoints: Endpoints,
  { edgeadm, shown }: { edgeadm: string; shown: string },
): readonly string[] {
  const { mqtt, edge, registry, tunnel, join, cloud, plc } = endpoints;
  const { hostname, port } = new URL(mqtt);
  return [
    "Skerry runs: a cloud, an edge node and a simulated PLC, in one process.",
    "",
    ...table(
      ["  MQTT broker", mqtt],
      [
        ["  Edge API", `${edge}/api/v1/devices`],
        ["  Kubernetes API", `${registry}   (kubeconfig: ${shown})`],
        ["  Cloud API", `${cloud}/v1/nodes`],
        ["  Tunnel, join", `${tunnel}, ${join}`],
        ["  Modbus TCP PLC", `${plc}   (unit 1 boiler, unit 2 tank)`],
      ],
    ),
    "",
    "Try, in another terminal:",
    `  kubectl --kubeconfig ${shown} get devices`,
    `  mosquitto_sub -h ${hostname} -p ${port} -v -t 'devices/#'`,
    `  ${edgeadm} device set boiler-1 setpoint=65`,
    "",
  ];
}

/** Devices and what they say, as it is now. */
export function pictureLines(state: DevState, { nowMs, hasColor }: Look): readonly string[] {
  const paint = (text: string, color: string) => (hasColor ? `\x1b[${color}m${text}\x1b[0m` : text);
  const rows = state.devices.flatMap((device) => deviceRows(device, nowMs));
  const head = ["DEVICE", "LINK", "AGE", "PROPERTY", "VALUE", "UNIT", "QUALITY", "CHANGED", "DESIRED"];
  const [first = "", ...rest] = table(head, rows);
  const painted = rest.map((line, i) => {
    const row = rows[i] ?? [];
    if (row[6]?.startsWith("bad")) return paint(line, RED);
    if (row[6]?.startsWith("uncertain")) return paint(line, YELLOW);
    return line;
  });
  return [
    statusLine(state, nowMs, paint),
    "",
    paint(first, BOLD),
    ...painted,
    "",
    paint("Ctrl-C ends it; npm start goes on where it was.", DIM),
  ];
}

/** The same in one line, for logs and pipes. */
export function statusText({ node, uplink, backlog, devices, values }: DevState): string {
  const online = devices.filter((it) => it.online).length;
  const link = uplink.online ? "uplink up" : `uplink down (${uplink.reason})`;
  return `${node}: ${link}, ${online} of ${devices.length} devices answer, ${values} values read, ${backlog} rows wait`;
}

function statusLine(state: DevState, nowMs: number, paint: (text: string, color: string) => string): string {
  const { node, uplink, backlog, devices, values } = state;
  const online = devices.filter((it) => it.online).length;
  const since = age(nowMs - uplink.since);
  const link = uplink.online
    ? paint(`● uplink up ${since}`, GREEN)
    : paint(`○ uplink down ${since}: ${uplink.reason}`, RED);
  return `${paint(node, BOLD)}  ${link}   ${online}/${devices.length} devices   ${values} values   ${backlog} rows wait`;
}

function deviceRows(device: DevState["devices"][number], nowMs: number): readonly string[][] {
  const { name, online, reason, lastSeen, properties, units } = device;
  const link = online ? "up" : `down: ${reason}`;
  const seen = lastSeen === undefined ? "-" : age(nowMs - lastSeen);
  if (properties.length === 0) return [[name, link, seen, "-"]];
  return properties.map(({ name: property, reported, quality = "-", at, desired, state }, i) => [
    i === 0 ? name : "",
    i === 0 ? link : "",
    i === 0 ? seen : "",
    property,
    showValue(reported),
    units[property] ?? "",
    quality,
    at === undefined ? "-" : age(nowMs - at),
    desired === undefined ? "" : `${showValue(desired)} ${state ?? ""}`.trimEnd(),
  ]);
}
