import WebSocket, { createWebSocketStream, WebSocketServer } from "ws";

/** The one door to ws: sockets, their server, and a socket as a byte stream. */
export { createWebSocketStream, WebSocket, WebSocketServer };
