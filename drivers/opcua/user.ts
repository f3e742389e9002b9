/** Who a link is to a server: nobody, a name with a password, or a certificate. */
import { readFile } from "node:fs/promises";
import { Fault } from "#std/fault";
import type { OpcuaLink } from "./schema.ts";
import type { Stack, UserIdentityInfo } from "./stack.ts";

/** Whom the stack presents to a server. @throws {Fault} `PERMISSION_MISSING` when a file can not be read. */
export async function userOf({ user }: OpcuaLink, { UserTokenType }: Stack): Promise<UserIdentityInfo> {
  if (!user) return { type: UserTokenType.Anonymous };
  if ("name" in user) {
    const password = (await secret(user.passwordFrom.file)).toString("utf8").replace(/\r?\n$/, "");
    return { type: UserTokenType.UserName, userName: user.name, password };
  }
  const [certificate, key] = await Promise.all([secret(user.certificateFrom.file), secret(user.keyFrom.file)]);
  const certificateData = stripped(certificate.toString("latin1"));
  return { type: UserTokenType.Certificate, certificateData, privateKey: key.toString("latin1") };
}

/** Whom a link presents, as `device trust` and the server's offers have it. */
export function kindOf({ user }: OpcuaLink): string {
  if (!user) return "anonymous";
  return "name" in user ? "password" : "certificate";
}

/** What to look at when the server refuses the user. */
export function userAdvice({ user }: OpcuaLink): string {
  if (!user) return "it takes no anonymous user, so give link.user";
  if ("name" in user)
    return `compare the name ${user.name}, the password in ${user.passwordFrom.file} and the user's rights with the server's`;
  return `the server may have to trust the user's certificate in ${user.certificateFrom.file} first`;
}

/** A certificate without the PEM around it. */
export function stripped(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----(BEGIN|END) CERTIFICATE-----|\s/g, ""), "base64");
}

async function secret(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? ` (${cause.code})` : "";
    throw new Fault("PERMISSION_MISSING", `link.user: ${path} can not be read by the node${why}`, { cause });
  }
}
