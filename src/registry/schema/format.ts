/** The formats of strings that are checked; others are allowed and mean nothing, as upstream. */
import { isIPv4, isIPv6 } from "node:net";

const DATE_TIME =
  /^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const DURATION = /^-?(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|seconds?|minutes?|hours?|days?|weeks?|milliseconds?))+$/i;
const HOSTNAME = /^[a-z\d]([a-z\d-]{0,62})(\.[a-z\d]([a-z\d-]{0,62}))*\.?$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Kinds of text by the name of their format. **Source:** Kubernetes, JSONSchemaProps.format. */
const formats: Readonly<Record<string, (value: string) => boolean>> = {
  "date-time": (value) => DATE_TIME.test(value) && !Number.isNaN(Date.parse(value.replace(/:60/, ":59"))),
  date: (value) => /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)),
  duration: (value) => DURATION.test(value) || value === "0",
  byte: (value) => BASE64.test(value.replaceAll(/[\r\n]/g, "")),
  uuid: (value) => UUID.test(value),
  uuid3: (value) => UUID.test(value),
  uuid4: (value) => UUID.test(value),
  uuid5: (value) => UUID.test(value),
  ipv4: isIPv4,
  ipv6: isIPv6,
  ip: (value) => isIPv4(value) || isIPv6(value),
  cidr: isCidr,
  mac: (value) => /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(value),
  hostname: (value) => value.length <= 255 && HOSTNAME.test(value),
  email: (value) => /^[^\s@]+@[^\s@]+$/.test(value),
  uri: (value) => URL.canParse(value),
};

/** True when a text keeps its format, or the format is not one that is checked. */
export function keepsFormat(format: string, value: string): boolean {
  return !Object.hasOwn(formats, format) || (formats[format]?.(value) ?? true);
}

function isCidr(value: string): boolean {
  const [address = "", length = "", ...rest] = value.split("/");
  if (rest.length > 0 || !/^\d{1,3}$/.test(length)) return false;
  return isIPv4(address) ? Number(length) <= 32 : isIPv6(address) && Number(length) <= 128;
}
