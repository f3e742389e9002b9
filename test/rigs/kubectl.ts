/** The kubectl binaries of this machine. */
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** The clients that are promised to work. */
const SUPPORTED = ["1.29", "1.30", "1.31", "1.32", "1.33"];

export interface Kubectl {
  readonly version: string;
  readonly binary: string;
}

/** Every promised version that lies beside the kubectl on the PATH, else that one alone; none where there is none. */
export function findKubectls(): readonly Kubectl[] {
  const path = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "kubectl"));
  const found = path.find((file) => existsSync(file));
  if (found === undefined) return [];
  const home = dirname(realpathSync(found));
  const names = new Set(readdirSync(home));
  const beside = SUPPORTED.filter((version) => names.has(`kubectl.${version}`));
  if (beside.length === 0) return [{ version: "of this machine", binary: found }];
  return beside.map((version) => ({ version, binary: join(home, `kubectl.${version}`) }));
}
