export { type Broker, type BrokerOptions, type Message, openBroker } from "./broker/broker.ts";
