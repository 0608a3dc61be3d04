/** Bodies of requests and responses as one conversation, whichever provider's shape they have. */
export type { Message, Part } from "./message";
export { errorOf, received } from "./received";
export { sent } from "./sent";
