import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { drivers } from "#drivers/index";
import { modbusRig } from "../rigs/modbus.ts";
import { serialRig } from "../rigs/serial.ts";
import { virtualRig } from "../rigs/virtual.ts";
import { keepsDriverContract } from "./driver.ts";

/** The others have a file of their own: the server of OPC UA takes seconds to start. */
const rigs = { modbus: modbusRig, serial: serialRig, virtual: virtualRig };

for (const [protocol, openRig] of Object.entries(rigs)) keepsDriverContract(protocol, openRig);

test("every driver of the table is held to the contract, here or in a file of its own", async () => {
  for (const [protocol, load] of Object.entries(drivers)) {
    expect((await load()).protocol).toBe(protocol);
    if (protocol in rigs) continue;
    const source = readFileSync(new URL(`./${protocol}.test.ts`, import.meta.url), "utf8");
    expect(source).toContain(`keepsDriverContract("${protocol}"`);
  }
});
