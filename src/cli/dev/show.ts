/** Shows a running stack: a live table at a terminal, one line of JSON for programs, a line now and then in a pipe. */
import { relative } from "node:path";
import { reportOf } from "#edge/device-report";
import { isAbort } from "#std/scope";
import { openScreen } from "../screen.ts";
import { print, type World } from "../world.ts";
import { bannerLines, type DevState, pictureLines, statusText } from "./picture.ts";
import type { Dev } from "./stack.ts";

const DRAW_MS = 500;
/** In a pipe, the state is told when devices or uplink came or went, and else this often. */
const TELL_MS = 30_000;

export interface ShowOptions {
  readonly asJson: boolean;
}

/** Shows the stack until the signal aborts. */
export async function showDev(dev: Dev, { asJson }: ShowOptions, world: World, signal: AbortSignal): Promise<void> {
  const { out, cwd, env, clock } = world;
  if (asJson) return print(world, JSON.stringify(dev.endpoints));
  const shown = relative(cwd, dev.endpoints.kubeconfig) || dev.endpoints.kubeconfig;
  const banner = bannerLines(dev.endpoints, { edgeadm: "./bin/edgeadm", shown });
  for (const line of banner) print(world, line);
  try {
    if (out.isTty) await live(dev, banner, world, signal);
    else await lines(dev, world, signal);
  } catch (error) {
    if (!isAbort(error, signal)) throw error;
  }

  async function live(dev: Dev, banner: readonly string[], world: World, signal: AbortSignal): Promise<void> {
    const hasColor = (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
    using screen = openScreen(world, banner);
    for (;;) {
      screen.draw(pictureLines(stateOf(dev), { nowMs: clock.now(), hasColor }));
      await clock.sleep(DRAW_MS, signal);
    }
  }
}

async function lines(dev: Dev, world: World, signal: AbortSignal): Promise<void> {
  let before = "";
  let toldAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const state = stateOf(dev);
    const levels = JSON.stringify([state.uplink.online, state.devices.map(({ name, online }) => [name, online])]);
    const now = world.clock.monotonic();
    if (levels !== before || now - toldAt >= TELL_MS) {
      print(world, statusText(state));
      before = levels;
      toldAt = now;
    }
    await world.clock.sleep(DRAW_MS, signal);
  }
}

function stateOf({ edge }: Dev): DevState {
  const { node, uplink, backlog, values } = edge.state();
  const devices = [...edge.twins.all].map((twin) => ({
    ...reportOf(twin),
    units: Object.fromEntries(twin.device?.properties.map(({ name, unit }) => [name, unit]) ?? []),
  }));
  return { node, uplink, backlog, values, devices: devices.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}
