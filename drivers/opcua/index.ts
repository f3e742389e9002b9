/**
 * OPC UA: `host.ts` runs the stack in a thread, whose entry is `worker.ts`. There `dial.ts` finds, checks and opens a
 * server, `line.ts` keeps the session, `read.ts`, `write.ts` and `watch.ts` use it, and `value.ts`, `encode.ts` and
 * `status.ts` turn its words into ours. `notes.ts` keeps what was said, `exchange.ts` puts it into words, and `replay.ts`
 * plays it back. `stack.ts` is the door to `node-opcua-client`.
 *
 * **Source:** OPC 10000-4 v1.05 (Services).
 */
import { join } from "node:path";
import type { Driver, Raw } from "#devices/driver";
import { systemClock } from "#std/clock";
import { type BrowseOptions, browseLine, type Found } from "./browse.ts";
import { callMethod } from "./call.ts";
import { abortable, discover } from "./dial.ts";
import { choose, type Presented, presentedBy } from "./endpoint.ts";
import { tell } from "./exchange.ts";
import { openHost } from "./host.ts";
import { lineTo, openInProcess, openStack } from "./in-process.ts";
import { PATIENCE, type Patience } from "./line.ts";
import { noted } from "./notes.ts";
import { nodeOf } from "./plan.ts";
import { openReplay } from "./replay.ts";
import {
  address,
  command,
  link,
  type OpcuaAddress,
  type OpcuaCommand,
  type OpcuaLink,
  type OpcuaStation,
  type RecordingLink,
  server,
  station,
} from "./schema.ts";
import { folderTrust, memoryTrust, type TrustStore } from "./trust.ts";

/** What the driver is made of. */
export interface OpcuaOptions {
  /**
   * Folder for our own certificate and for the decisions about those of servers. Without it both end with the process,
   * and a server must be pinned by `trust.fingerprint` in its link.
   */
  readonly trustDir?: string;
  /** How long a broken or silent server is waited for. @default 10 s and 12 s */
  readonly patience?: Patience;
  /** Where the stack lives: in a thread, so that what it throws costs its links and not the node. @default "thread" */
  readonly isolation?: "thread" | "none";
}

/** The driver, and what people need to decide about servers. */
export interface OpcuaDriver extends Driver<OpcuaLink | RecordingLink, OpcuaStation, OpcuaAddress, OpcuaCommand> {
  /** Links to servers alone. */
  readonly server: typeof server;
  readonly trust: TrustStore;
  /** Asks a server for its certificate and what it offers. @throws {Fault} `LINK_LOST`, `CONFIG_INVALID`. */
  presented(link: OpcuaLink, signal: AbortSignal): Promise<Presented>;
  /** Walks what is in a server; the link is closed at the end. @throws {Fault} as `connect`. */
  browse(link: OpcuaLink, options: BrowseOptions, signal: AbortSignal): AsyncIterable<Found>;
  /** Calls a method of a device, with arguments and results by name. @throws {Fault} `VALUE_INVALID`, `DEVICE_REFUSED`. */
  call(link: OpcuaLink, call: MethodCall, signal: AbortSignal): Promise<Readonly<Record<string, Raw>>>;
}

/** A call of a method. */
export interface MethodCall {
  readonly station: OpcuaStation;
  /** Node ids, as in an address. */
  readonly object: string;
  readonly method: string;
  readonly args: Readonly<Record<string, Raw>>;
}

/** The OPC UA driver. Nothing of `node-opcua-client` is loaded before the first link is opened, and then in a thread. */
export function opcua({ trustDir, patience = PATIENCE, isolation = "thread" }: OpcuaOptions = {}): OpcuaDriver {
  const trust = trustDir === undefined ? memoryTrust() : folderTrust(join(trustDir, "servers"));
  const identityDir = trustDir === undefined ? undefined : join(trustDir, "own");
  const { now } = systemClock;
  const here = { identityDir, trust, patience, now };
  const host = openHost();

  return {
    protocol: "opcua",
    link,
    server,
    station,
    address,
    command,
    trust,

    isPushed: ({ mode }) => mode === "subscribe",

    async connect(link, signal) {
      signal.throwIfAborted();
      if ("file" in link) return noted(await openReplay(link.file, systemClock, signal), now);
      if (isolation === "none") return noted(await openInProcess(here, link, signal), now);
      const decisions = await trust.list();
      return noted(await host.open({ do: "connect", link, identityDir, decisions, patience }, signal), now);
    },

    tell,
    isWith: (station, exchange) => exchange.station === station,

    async presented(link, signal) {
      const endpoints = await discover(await abortable(signal, () => openStack(identityDir)), link, signal);
      return presentedBy(choose(endpoints, link.security, link.endpoint), endpoints, link.endpoint);
    },

    async *browse(link, options, signal) {
      await using line = await lineTo(here, link, signal);
      yield* browseLine(line, options, signal);
    },

    async call(link, { station, object, method, args }, signal) {
      await using line = await lineTo(here, link, signal);
      const called = { object: nodeOf(line, station, object), method: nodeOf(line, station, method) };
      return await callMethod(line, called, args, signal);
    },
  };
}
