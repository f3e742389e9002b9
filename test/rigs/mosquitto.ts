import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** Why mosquitto can not be had here, if it can not. */
export const mosquittoObstacle: string | undefined =
  spawnSync("mosquitto", ["-h"]).error === undefined
    ? undefined
    : "mosquitto is not installed (apt-get install mosquitto mosquitto-clients)";

export interface MosquittoOptions {
  /** Folder for its files. */
  readonly folder: string;
  readonly users?: Readonly<Record<string, string>>;
  /** Paths of PEM files; with them it speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Debian's mosquitto with settings that keep what it acknowledged. */
export interface Mosquitto extends AsyncDisposable {
  readonly port: number;
  start(): Promise<void>;
  /** Ends it in order: it saves what it acknowledged. */
  stop(): Promise<void>;
  /** As a crash would; it may forget the last message that it acknowledged, because it saves after more than one. */
  kill(): Promise<void>;
  /** Stops it from doing anything, its connections stay open; or lets it go on. */
  freeze(isFrozen: boolean): void;
  /** Takes other users, from its next start on. */
  setUsers(users: Readonly<Record<string, string>>): void;
}

/** Starts mosquitto on a free port. */
export async function openMosquitto({ folder, users, tls }: MosquittoOptions): Promise<Mosquitto> {
  const port = await freePort();
  const [config, passwords] = [join(folder, "mosquitto.conf"), join(folder, "passwords")];
  const setUsers = (users: Readonly<Record<string, string>>) => {
    writeFileSync(passwords, "");
    for (const [name, password] of Object.entries(users))
      execFileSync("mosquitto_passwd", ["-b", passwords, name, password], { stdio: "ignore" });
  };
  if (users) setUsers(users);
  const lines = [
    `listener ${port} 127.0.0.1`,
    ...(tls ? [`certfile ${tls.certificate}`, `keyfile ${tls.key}`] : []),
    ...(users ? ["allow_anonymous false", `password_file ${passwords}`] : ["allow_anonymous true"]),
    "persistence true",
    `persistence_location ${folder}/`,
    "autosave_interval 1",
    "autosave_on_changes true",
    "max_queued_messages 0",
    ...(process.getuid?.() === 0 ? ["user root"] : []),
    "log_type none",
  ];
  writeFileSync(config, lines.join("\n"));
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    child = spawn("mosquitto", ["-c", config], { stdio: "ignore" });
    await eventually(async () => {
      const socket = connect(port, "127.0.0.1");
      try {
        await once(socket, "connect");
        return true;
      } finally {
        socket.destroy();
      }
    });
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
  const kill = () => end("SIGKILL");

  await start();
  return {
    port,
    start,
    stop: () => end("SIGTERM"),
    kill,
    freeze: (isFrozen) => void child?.kill(isFrozen ? "SIGSTOP" : "SIGCONT"),
    setUsers,
    [Symbol.asyncDispose]: kill,
  };
}
