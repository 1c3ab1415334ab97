/** Codes of API errors; stable, so that a page or script may rely on them. */
export const ERROR_STATUS = {
  /** What came is not a request in HTTP's terms. */
  bad_request: 400,
  /** There is no such method, or no such entry. */
  not_found: 404,
  method_not_allowed: 405,
  /** The token is missing or wrong. */
  unauthorized: 401,
  /** The token allows reading only. */
  forbidden: 403,
  /** Arguments are wrong; the message is the verifier's sentence. */
  invalid_argument: 400,
  too_large: 413,
  /** The new configuration was refused; the old one keeps running. */
  config_refused: 409,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export interface ApiError {
  readonly code: ErrorCode;
  /** Full sentences with the remedy. */
  readonly message: string;
}

export type Refusal = { readonly ok: false; readonly error: ApiError };
export type Answer<T> = { readonly ok: true; readonly result: T } | Refusal;

export function answer<T>(result: T): Answer<T> {
  return { ok: true, result };
}

export function refusal(code: ErrorCode, message: string): Refusal {
  return { ok: false, error: { code, message } };
}
