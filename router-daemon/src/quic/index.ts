export { QuicEndpoint } from "./endpoint.ts";
export type * from "./types.ts";
