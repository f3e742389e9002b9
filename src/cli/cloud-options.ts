/** The options by which every command about tokens finds the cloud on this machine. */
export const cloudOptions = {
  config: { help: "YAML file of the cloud on this machine, which names its data directory.", value: "FILE" },
  dataDir: { help: "Data directory of the cloud. Without either: that of run dev in .skerry.", value: "DIR" },
} as const;
