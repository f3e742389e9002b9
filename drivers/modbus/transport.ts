import type { ModbusLink } from "./link.ts";

/**
 * Carries one request to one unit and its answer back. The kinds of Modbus differ in the frame around the same PDU and
 * fit behind these few lines. Requests never overlap.
 */
export interface Transport extends AsyncDisposable {
  /**
   * Whether unit 0 is everybody, as on a line: a request to it is answered by nobody and resolves with no bytes.
   * @default false
   */
  readonly isLine?: boolean;
  /**
   * Sends a PDU and resolves with the PDU that answers it, which is valid until the next turn of the event loop.
   * Rejects with the signal's reason on abort; an answer that comes later is dropped. A repetition passes the same
   * array, so that a line knows that the late answer to the first is as good.
   * @throws {Fault} `LINK_LOST` when the link is gone or its bytes can not be trusted any more, `ANSWER_INVALID` when a
   * whole frame came that does not answer this request.
   */
  request(unit: number, pdu: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

/** Opens a transport. @throws {Fault} `LINK_LOST` when nobody is there. */
export type Dial = (link: ModbusLink, signal: AbortSignal) => Promise<Transport>;
