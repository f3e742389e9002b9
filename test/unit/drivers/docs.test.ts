import { expect, test } from "@jest/globals";
import { driverDocs } from "../../../scripts/driver-docs.ts";

test("the READMEs of the drivers say what the schemas say; if not, run scripts/driver-docs.ts", async () => {
  for (const { text, fresh } of await driverDocs()) expect(text).toBe(fresh);
});
