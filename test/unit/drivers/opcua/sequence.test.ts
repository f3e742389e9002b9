import { expect, test } from "@jest/globals";
import { follow } from "#drivers/opcua/sequence";

const data = (sequenceNumber: number) => ({ sequenceNumber, isKeepAlive: false });
const alive = (sequenceNumber: number) => ({ sequenceNumber, isKeepAlive: true });

test.each([
  ["the first message sets the count", undefined, data(1), { next: 2, isGap: false, isOld: false }],
  ["the next message follows", 2, data(2), { next: 3, isGap: false, isOld: false }],
  ["a keep-alive tells the next number and does not use it", 3, alive(3), { next: 3, isGap: false, isOld: false }],
  ["a message that is too far ahead shows a gap", 3, data(5), { next: 6, isGap: true, isOld: false }],
  ["a keep-alive that is too far ahead shows a gap too", 3, alive(4), { next: 4, isGap: true, isOld: false }],
  ["a message that was told before changes nothing", 5, data(3), { next: 5, isGap: false, isOld: true }],
  ["after the last number comes 1", 0xffffffff, data(0xffffffff), { next: 1, isGap: false, isOld: false }],
])("%s", (_, expected, message, told) => {
  expect(follow(expected, message)).toEqual(told);
});
