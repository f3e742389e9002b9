/** The door for drivers of others: `import … from "skerry/driver"`. What is not here is not public. */
export { duration } from "#std/duration";
export { Fault, type FaultCode } from "#std/fault";
export { type Schema, z } from "#std/schema";
export type { Connection, Driver, DriverTable, Exchange, Lesson, Point, Pushed, Raw, Reading } from "./driver.ts";
export type { Value } from "./value.ts";
