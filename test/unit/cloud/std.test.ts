import { expect, test } from "@jest/globals";
import { openMetrics } from "#std/metrics";
import { parseAllYaml, parseYaml } from "#std/yaml";

test("metrics of two roles in one process do not mix", async () => {
  const [a, b] = [openMetrics(), openMetrics()];
  a.counter("x_total", "counted", ["device"]).add({ device: "boiler-1" }, 3);
  b.gauge("x", "a level", () => 7);
  expect(await a.text()).toContain('x_total{device="boiler-1"} 3');
  expect(await b.text()).not.toContain("x_total");
});

test("levels are read when somebody asks, and what is gone is gone", async () => {
  const metrics = openMetrics();
  let level = [
    { labels: { node: "a" }, value: 1 },
    { labels: { node: "b" }, value: 2 },
  ];
  metrics.gauges("g", "levels", ["node"], () => level);
  metrics.total("t_total", "kept elsewhere", () => 42);
  expect(await metrics.text()).toContain('g{node="b"} 2');
  level = [{ labels: { node: "a" }, value: 5 }];
  const text = await metrics.text();
  expect(text).toContain('g{node="a"} 5');
  expect(text).not.toContain('node="b"');
  expect(text).toContain("t_total 42");
});

test("YAML is read with the line and column of every mistake", () => {
  expect(parseYaml("a: 1\nb: [x, yes]", "f.yaml")).toEqual({ a: 1, b: ["x", "yes"] });
  expect(parseYaml("", "f.yaml")).toBeUndefined();
  expect(() => parseYaml("a: 1\na: 2", "f.yaml")).toThrow(/^f\.yaml:2:1: /);
  expect(() => parseYaml("a: 1\n---\nb: 2", "f.yaml")).toThrow("has 2 documents");
  expect(parseAllYaml("a: 1\n---\n---\nb: 2\n", "f.yaml")).toEqual([{ a: 1 }, { b: 2 }]);
});

test("a YAML bomb is refused", () => {
  const levels = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (const [from, to] of ["ab", "bc", "cd", "de", "ef"].map((pair) => [...pair]))
    levels.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(",")}]`);
  expect(() => parseYaml(levels.join("\n"), "bomb.yaml")).toThrow("bomb.yaml");
});
