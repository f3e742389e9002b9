import { serialRig } from "../rigs/serial.ts";
import { keepsDriverContract } from "./driver.ts";

keepsDriverContract("serial", serialRig);
