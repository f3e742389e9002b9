/** Leases, by which one of several takes the lead. **Source:** Kubernetes API reference 1.32, coordination.k8s.io/v1. */
import { ageColumn, column, nameColumn } from "../columns.ts";
import type { Resource } from "../resource.ts";
import { builtin, fields, integer, string, time } from "./kind.ts";

/** Leases. */
export const leases: Resource = builtin(
  {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    plural: "leases",
    columns: [
      nameColumn,
      column({ name: "Holder", type: "string", jsonPath: ".spec.holderIdentity", description: "Who holds the lease." }),
      ageColumn,
    ],
  },
  {
    description: "Lease defines a lease concept.",
    properties: {
      spec: fields("Spec contains the specification of the lease.", {
        holderIdentity: { ...string("Who holds the lease; empty for nobody."), nullable: true },
        leaseDurationSeconds: { ...integer("How long others wait after the last renewal."), nullable: true },
        acquireTime: time("When the present holder took the lease."),
        renewTime: time("When the present holder last renewed it."),
        leaseTransitions: { ...integer("How often the holder changed."), nullable: true },
        strategy: { ...string("How a leader is chosen."), nullable: true },
        preferredHolder: { ...string("Who should have the lease."), nullable: true },
      }),
    },
  },
);
