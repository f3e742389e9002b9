import { opcuaRig } from "../rigs/opcua.ts";
import { keepsDriverContract } from "./driver.ts";

keepsDriverContract("opcua", opcuaRig);
