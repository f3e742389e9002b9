import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { decode } from "#devices/codec";
import type { Point } from "#devices/driver";
import { expand } from "#devices/expand";
import { opcua } from "#drivers/opcua/index";
import type { OpcuaAddress, OpcuaLink, OpcuaStation } from "#drivers/opcua/schema";
import { parseYaml } from "#std/yaml";
import { openSample } from "../rigs/opcua-server.ts";

const forever = new AbortController().signal;

test("the example drives the sample server: every property is good, and the wish is written", async () => {
  await using sample = await openSample();
  const driver = opcua();
  const [model, device] = ["model", "device"].map((name) => manifest(`examples/opcua-line/${name}.yaml`));
  const endpoint = `opc.tcp://127.0.0.1:${sample.port}/plant`;
  const { fingerprint } = await driver.presented(driver.server.parse({ endpoint }), forever);
  const link = { ...device?.spec.link, endpoint, trust: { fingerprint } };
  const declared = { namespace: "default", name: "boiler-7", uid: "1", generation: 1, modelGeneration: 1 };
  const spec = { ...device?.spec, link };
  const boiler = expand({ ...declared, spec, model: model?.spec }, driver);
  const points = boiler.points as readonly Point<OpcuaAddress>[];
  const station = boiler.station as OpcuaStation;

  await using connection = await driver.connect(boiler.link as OpcuaLink, forever);
  const setpoint = points.find(({ property }) => property === "setpoint");
  await connection.write(station, setpoint as Point<OpcuaAddress>, 65, forever);
  const readings = await connection.read(station, points, forever);
  const values = boiler.properties.map((property, i) => {
    const reading = readings[i];
    return [property.name, reading?.ok ? decode(property, reading.raw) : undefined] as const;
  });
  expect(Object.fromEntries(values)).toMatchObject({
    steps: { value: 0, quality: "good" },
    temperature: { value: 21.5, quality: "good" },
    setpoint: { value: 65, quality: "good" },
    energy: { value: "18446744073709551615", quality: "good" },
    profile: { value: [1, 2.5, 3, 4], quality: "good" },
    started: { value: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), quality: "good" },
  });
});

function manifest(path: string) {
  return parseYaml(readFileSync(path, "utf8"), path) as {
    readonly spec: Record<string, unknown> & { readonly link?: object };
  };
}
