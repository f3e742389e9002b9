import { decode, encode, same } from "#devices/codec";
import type { Device } from "#devices/expand";
import type { CommandSpec } from "#devices/model";
import type { Value } from "#devices/value";
import type { Clock } from "#std/clock";
import { deadline } from "#std/deadline";
import { Fault, type FaultCode, faults } from "#std/fault";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { Database } from "#std/sqlite";
import { topics } from "#wire/topics";
import type { Broker } from "./broker/broker.ts";
import type { DeviceTwin } from "./device-twin.ts";
import type { Requests } from "./devices/requests.ts";
import type { Supervisor } from "./devices/supervisor.ts";
import type { Twins } from "./twins.ts";

/** What somebody tells a device to do. */
export interface Request {
  readonly device: string;
  readonly command: string;
  /** The same id is done once, however often it is asked. */
  readonly id: string;
  readonly args?: readonly Value[] | undefined;
  readonly deadlineMs?: number | undefined;
}

/** What became of it. */
export type Result =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: { readonly code: string; readonly message: string } };

export interface CommandPorts {
  readonly twins: Twins;
  readonly supervisor: Supervisor;
  /** Writes down who did what and how it ended. */
  readonly audit: (twin: DeviceTwin, message: string, ok: boolean) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Results are kept this long, for those who ask again. */
const KEEP_MS = 7 * 86_400_000;
const MOST_KEPT = 10_000;

interface Kept {
  readonly state: "accepted" | "started" | "done";
  readonly json: string;
}

/**
 * Commands: done at most once per id, whatever repeats, kills and reconnects come between. A command is on disk before
 * it begins, and marked before the device is told; one that was under way when the node ended is not repeated.
 */
export class Commands {
  readonly #db: Database;
  readonly #sql;
  readonly #ports: CommandPorts;
  readonly #running = new Map<string, Promise<Result>>();

  constructor(db: Database, ports: CommandPorts) {
    this.#db = db;
    this.#ports = ports;
    this.#sql = {
      get: db.prepare<[string, string], Kept>("select state, json from command where uid = ? and id = ?"),
      set: db.prepare(
        "insert into command values (?, ?, ?, ?, ?) on conflict do update set state = excluded.state, json = excluded.json",
      ),
      open: db.prepare<[], Kept & { uid: string }>("select uid, state, json from command where state <> 'done'"),
      prune: db.prepare(
        `delete from command where state = 'done' and (at < ? or at <= coalesce(
           (select at from command order by at desc limit 1 offset ${MOST_KEPT}), -1))`,
      ),
    };
  }

  /**
   * Does what is asked and resolves with the outcome, which is on disk by then.
   * @param accepted - is called when the command is on disk.
   * @throws {Fault} `DEVICE_UNKNOWN`, `COMMAND_UNKNOWN`, `OVERLOADED`: nothing was accepted.
   */
  async run(request: Request, signal: AbortSignal, accepted?: () => void): Promise<Result> {
    const { twins } = this.#ports;
    const twin = twins.named(request.device);
    const { uid } = twin.declared;
    const key = `${uid} ${request.id}`;
    const running = this.#running.get(key);
    if (running) {
      accepted?.();
      return running;
    }
    const kept = this.#sql.get.get(uid, request.id);
    if (kept?.state === "done") return JSON.parse(kept.json) as Result;
    // It was begun, and its outcome could not be written down: doing it again could do it twice.
    if (kept?.state === "started") return this.#finish(twin, request, unsure(request));
    const doing = this.#accept(twin, request, signal, accepted).finally(() => this.#running.delete(key));
    this.#running.set(key, doing);
    return doing;
  }

  /**
   * Gives every command that was open when the node ended its outcome: not begun, or begun and unsure. Nothing is done
   * again: whoever still wants it sends a new id.
   */
  async resume(tell: (request: Request, result: Result) => void): Promise<void> {
    for (const { uid, state, json } of this.#sql.open.all()) {
      const request = JSON.parse(json) as Request;
      const result =
        state === "started" ? unsure(request) : fault("COMMAND_LATE", "the node ended before the device was told");
      const twin = this.#ports.twins.get(uid);
      if (twin) await this.#finish(twin, request, result);
      else await this.#store(uid, request, "done", JSON.stringify(result));
      tell(request, result);
    }
  }

  /** Forgets old results. */
  async prune(): Promise<void> {
    await this.#db.commit(() => this.#sql.prune.run(this.#ports.clock.now() - KEEP_MS));
  }

  async #accept(twin: DeviceTwin, request: Request, signal: AbortSignal, accepted?: () => void): Promise<Result> {
    const { spec } = declaredIn(twin, request);
    const bus = this.#ports.supervisor.busOf(twin);
    await this.#store(twin.declared.uid, request, "accepted", JSON.stringify(request));
    accepted?.();
    using limit = deadline(request.deadlineMs ?? spec.deadline, signal);
    let started = false;
    const work = async (requests: Requests, signal: AbortSignal) => {
      // It may have been declared anew while it waited.
      const { device, spec } = declaredIn(twin, request);
      await this.#store(twin.declared.uid, request, "started", JSON.stringify(request));
      started = true;
      return perform({ requests, device, spec, args: request.args ?? [] }, signal);
    };
    try {
      const value = await bus.ask(twin, work, limit.signal);
      return await this.#finish(twin, request, { ok: true, value });
    } catch (error) {
      if (signal.aborted && !limit.expired) throw error;
      return this.#finish(twin, request, failed(error, { request, started, expired: limit.expired }));
    }
  }

  async #finish(twin: DeviceTwin, request: Request, result: Result): Promise<Result> {
    await this.#store(twin.declared.uid, request, "done", JSON.stringify(result));
    const outcome = result.ok
      ? `done: ${JSON.stringify(result.value)}`
      : `${result.fault.code}: ${result.fault.message}`;
    this.#ports.audit(twin, `command ${request.command} (${request.id}) ${outcome}`, result.ok);
    return result;
  }

  async #store(uid: string, { id }: Request, state: Kept["state"], json: string): Promise<void> {
    const { clock } = this.#ports;
    await this.#db.commit(() => this.#sql.set.run(uid, id, state, json, clock.now()));
  }
}

/** @throws {Fault} `COMMAND_UNKNOWN` when the device, as it is declared now, has no such command. */
function declaredIn({ device }: DeviceTwin, request: Request): Pick<Performance, "device" | "spec"> {
  const spec = device?.commands.find(({ name }) => name === request.command);
  if (device && spec) return { device, spec };
  const known = device?.commands.map(({ name }) => name).join(", ") || "none";
  throw new Fault("COMMAND_UNKNOWN", `${request.device} has no command ${request.command}; it has: ${known}`);
}

interface Performance {
  readonly requests: Requests;
  readonly device: Device;
  readonly spec: CommandSpec;
  readonly args: readonly Value[];
}

/** Tells the device. A command of writes is read back, so that `ok` means that the device says so. */
async function perform({ requests, device, spec, args }: Performance, signal: AbortSignal): Promise<Value> {
  if (spec.address) return requests.call(device, spec, args, signal);
  for (const [name, value] of Object.entries(spec.writes ?? {})) {
    const index = device.properties.findIndex((property) => property.name === name);
    const [property, point] = [device.properties[index], device.points[index]];
    if (!property || !point) throw new Fault("PROPERTY_UNKNOWN", `${device.name} has no property ${name}`);
    await requests.write(device, point, encode(property, value), signal);
    if (property.access === "write") continue;
    const [reading] = await requests.read(device, [point], signal);
    if (!reading?.ok) throw reading?.fault ?? new Fault("DEVICE_TIMEOUT", `${name} can not be read back`);
    const said = decode(property, reading.raw).value;
    if (said === undefined || !same(property, value, said))
      throw new Fault(
        "DEVICE_REFUSED",
        `${name} was written as ${JSON.stringify(value)} and says ${JSON.stringify(said)}`,
      );
  }
  return null;
}

interface Failure {
  readonly request: Request;
  readonly started: boolean;
  readonly expired: boolean;
}

function failed(error: unknown, { request, started, expired }: Failure): Result {
  if (expired && !started) return fault("COMMAND_LATE", `${request.command} was not begun before its deadline`);
  if (expired) return unsure(request);
  // What is no fault is the end of the link, or a driver that broke: the device may have done it.
  if (started && (!Fault.is(error) || error.code === "LINK_LOST")) return unsure(request);
  // It may have heard it, and only its answer is missing.
  if (started && Fault.is(error, "DEVICE_TIMEOUT")) return unsure(request, error.message);
  if (Fault.is(error)) return fault(error.code, error.message);
  return fault("DEVICE_REFUSED", error instanceof Error ? error.message : String(error));
}

function unsure({ command }: Request, why = "its outcome is not known"): Result {
  return fault("COMMAND_UNSURE", `${command} was begun, and ${why}. ${faults.COMMAND_UNSURE.hint}`);
}

function fault(code: FaultCode, message: string): Result {
  return { ok: false, fault: { code, message } };
}

/** Commands of clients that may wait for their outcome at once. */
const MOST_WAITING = 256;

/** Serves `devices/+/commands/+` until the signal aborts: every request gets its outcome at `.../result`. */
export async function serveCommands(
  { broker, commands }: { readonly broker: Broker; readonly commands: Commands },
  signal: AbortSignal,
): Promise<void> {
  await using scope = new Scope(signal);
  for await (const message of broker.subscribe(topics.command, scope.signal)) {
    const { params, accept } = message;
    if (!message.ok) {
      accept();
      const { code, message: text } = message.fault;
      broker.publish(topics.commandResult, params, { ok: false, fault: { code, message: text } });
      continue;
    }
    const { id, args, deadlineMs } = message.body;
    if (scope.waitingFor.length >= MOST_WAITING) {
      accept();
      const refused = fault("OVERLOADED", `${MOST_WAITING} commands are under way already`);
      broker.publish(topics.commandResult, params, { id, ...refused });
      continue;
    }
    scope.run(`command ${params.command} of ${params.device}`, async (signal) => {
      const result = await commands
        .run({ ...params, id, args, deadlineMs }, signal, accept)
        .catch((error: unknown): Result => {
          if (Fault.is(error)) return fault(error.code, error.message);
          throw error;
        });
      accept();
      broker.publish(topics.commandResult, params, { id, ...result });
    });
  }
  await scope.done();
}
