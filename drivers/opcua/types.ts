/** The built-in types of the standard, by their numbers on the wire. **Source:** OPC 10000-6 v1.05, §5.1.2, table 1. */
export const builtIn = {
  Boolean: 1,
  SByte: 2,
  Byte: 3,
  Int16: 4,
  UInt16: 5,
  Int32: 6,
  UInt32: 7,
  Int64: 8,
  UInt64: 9,
  Float: 10,
  Double: 11,
  String: 12,
  DateTime: 13,
  Guid: 14,
  ByteString: 15,
  XmlElement: 16,
  NodeId: 17,
  ExpandedNodeId: 18,
  StatusCode: 19,
  QualifiedName: 20,
  LocalizedText: 21,
  ExtensionObject: 22,
  DataValue: 23,
  Variant: 24,
  DiagnosticInfo: 25,
} as const;

export type BuiltIn = keyof typeof builtIn;

const names = new Map<number, BuiltIn>(Object.entries(builtIn).map(([name, id]) => [id, name as BuiltIn]));

/** Name of a built-in type; undefined for 0 (no value) and for numbers that the standard does not know. */
export function nameOfType(id: number): BuiltIn | undefined {
  return names.get(id);
}

/** What a variant carries, as the stack gives it. **Source:** OPC 10000-6 v1.05, §5.2.2.16. */
export interface VariantLike {
  readonly dataType: number;
  /** 0 one value, 1 a list, 2 a matrix. */
  readonly arrayType: number;
  readonly value: unknown;
  readonly dimensions?: readonly number[] | null;
}

/** A status code, as the stack gives it. */
export interface StatusLike {
  readonly value: number;
  readonly name: string;
}

/** A value with its quality and times, as the stack gives it. */
export interface DataValueLike {
  readonly value?: VariantLike | null | undefined;
  readonly statusCode: StatusLike;
  readonly sourceTimestamp?: Date | null;
  readonly serverTimestamp?: Date | null;
}
