/** Jest runs the TypeScript sources as ES modules; @swc/jest strips the types. */
export default {
  testEnvironment: "node",
  testEnvironmentOptions: { customExportConditions: ["source", "node", "import", "node-addons"] },
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  setupFiles: ["<rootDir>/test/rigs/realm.ts"],
  // Jest takes the condition import for what pg requires, too; Node does not.
  moduleNameMapper: { "^pg-pool$": "<rootDir>/node_modules/pg-pool/index.js" },
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2023" }, module: { type: "es6" }, sourceMaps: "inline" },
    ],
  },
  // Modules of ESM suites stay in the heap of their worker; a worker over this size is replaced.
  workerIdleMemoryLimit: "400MB",
  testTimeout: 20_000,
};
