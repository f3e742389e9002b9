import { expect, test } from "@jest/globals";
import { drivers } from "#drivers/index";
import { modbusRig } from "../rigs/modbus.ts";
import { virtualRig } from "../rigs/virtual.ts";
import { keepsDriverContract } from "./driver.ts";

const rigs = { modbus: modbusRig, virtual: virtualRig };

for (const [protocol, openRig] of Object.entries(rigs)) keepsDriverContract(protocol, openRig);

test("every driver of the table is held to the contract, under its own name", async () => {
  expect(Object.keys(drivers).sort()).toEqual(Object.keys(rigs).sort());
  for (const [protocol, load] of Object.entries(drivers)) expect((await load()).protocol).toBe(protocol);
});
