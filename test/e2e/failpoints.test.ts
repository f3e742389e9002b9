/** Kills and power cuts around commits and sends, spread over a scenario; `test/bench/failpoints.ts` puts one at each. */
import { expect, test } from "@jest/globals";
import { runBrokerFailpoints, runFailpoints } from "../rigs/failpoints.ts";
import { whyNoShim } from "../rigs/faults/shim.ts";

const reason = whyNoShim();
const tell = (figures: object) => process.stderr.write(`${JSON.stringify(figures)}\n`);

if (reason) test.skip(`ends at commits and sends are not tried here: ${reason}`, () => {});
else {
  test("whatever commit or send of edge or cloud is the last one, values come once, in order, or with a reason", async () => {
    const figures = await runFailpoints({ stride: 8 });
    tell(figures);
    const { missing, doubled, disordered, unexplained, ends } = figures;
    expect({ missing, doubled, disordered, unexplained, never: ends.never }).toEqual({
      missing: 0,
      doubled: 0,
      disordered: 0,
      unexplained: 0,
      never: 0,
    });
    expect(ends.cuts).toBeGreaterThan(2);
  }, 240_000);

  test("whatever commit or send of the broker is the last one, QoS 1 loses nothing and QoS 2 doubles nothing", async () => {
    const figures = await runBrokerFailpoints(12, 4);
    tell(figures);
    expect(figures).toMatchObject({ missing: 0, doubledAtQos2: 0, outOfOrder: 0 });
    expect(figures.ends).toBeGreaterThan(5);
  }, 120_000);
}
