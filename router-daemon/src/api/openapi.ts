import * as v from "valibot";
import { argumentInfo } from "./argument.ts";
import { ERROR_STATUS, type ErrorCode } from "./error.ts";
import { type JsonSchema, jsonSchema, jsonSchemaOrReference, type SchemaNames } from "./json-schema.ts";
import type { AnyMethod } from "./method.ts";
import { findMethod, METHOD_NAMES } from "./methods.ts";
import {
  connectionPageSchema,
  diagnosisSchema,
  eventPageSchema,
  nodeSchema,
  peerPageSchema,
  routePageSchema,
  statusSchema,
  versionSchema,
} from "./reports.ts";
import { connectionSchema, eventSchema, peerSchema, routeSchema } from "./rows.ts";
import { VERSION } from "./version.ts";

/** Schemas that stand in the document once. */
const NAMED: Readonly<Record<string, v.GenericSchema>> = {
  Version: versionSchema,
  Node: nodeSchema,
  Status: statusSchema,
  Peer: peerSchema,
  PeerPage: peerPageSchema,
  Route: routeSchema,
  RoutePage: routePageSchema,
  Connection: connectionSchema,
  ConnectionPage: connectionPageSchema,
  Event: eventSchema,
  EventPage: eventPageSchema,
  Diagnosis: diagnosisSchema,
};
const NAMES: SchemaNames = new Map(Object.entries(NAMED).map(([name, schema]) => [schema, name]));

/** The HTTP API in OpenAPI's words, made from the method table. `prefix` stands before the methods' names in their paths. */
export function openApiDocument(prefix: string): object {
  const paths = METHOD_NAMES.map((name): [string, object] => {
    const method = findMethod(name);
    return [`${prefix}/${name}`, method === undefined ? {} : pathItem(name, method)];
  });
  return {
    openapi: "3.1.0",
    info: {
      title: "kcp-router",
      version: VERSION,
      description:
        "What the daemon shows and does. The same methods are on ubus and behind the command line.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://localhost", description: "A unix socket, or loopback TCP with a token." }],
    security: [{}, { token: [] }],
    paths: {
      ...Object.fromEntries(paths),
      [`${prefix}/openapi.json`]: { get: textOperation("openapi", "This document.", "application/json") },
      "/metrics": { get: textOperation("metrics", "Numbers for Prometheus.", "text/plain") },
    },
    components: {
      schemas: {
        Error: ERROR_SCHEMA,
        ...Object.fromEntries(
          Object.entries(NAMED).map(([name, schema]) => [name, jsonSchema(schema, NAMES)]),
        ),
        ...Object.fromEntries(
          METHOD_NAMES.map((name) => [
            argumentsName(name),
            jsonSchema(v.strictObject(findMethod(name)?.args ?? {})),
          ]),
        ),
      },
      responses: Object.fromEntries(
        Object.entries(ERROR_STATUS).map(([code, status]) => [
          code,
          errorResponse(code as ErrorCode, status),
        ]),
      ),
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description: "Needed on TCP only: a line of rpc_token_file.",
        },
      },
    },
  };
}

const ERROR_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        code: { enum: Object.keys(ERROR_STATUS) },
        message: { type: "string", description: "Full sentences with the remedy." },
      },
      required: ["code", "message"],
      additionalProperties: false,
    },
  },
  required: ["error"],
  additionalProperties: false,
};

function pathItem(name: string, method: AnyMethod): object {
  const post = {
    operationId: name,
    summary: method.doc,
    tags: [method.access],
    requestBody: {
      required: Object.values(method.args).some(({ type }) => type !== "optional"),
      content: { "application/json": { schema: { $ref: `#/components/schemas/${argumentsName(name)}` } } },
    },
    responses: responses(method),
  };
  if (method.access === "write") return { post };
  const get = {
    operationId: `get_${name}`,
    summary: method.doc,
    tags: [method.access],
    parameters: Object.entries(method.args).map(([key, schema]) => ({
      name: key,
      in: "query",
      required: schema.type !== "optional",
      description: argumentInfo(schema).help,
      schema: jsonSchema(schema),
    })),
    responses: responses(method),
  };
  return { get, post };
}

function argumentsName(method: string): string {
  return `${method}_arguments`;
}

function responses(method: AnyMethod): object {
  const good = {
    description: "What it answers.",
    content: { "application/json": { schema: jsonSchemaOrReference(method.result, NAMES) } },
  };
  const bad = (code: ErrorCode) => ({ $ref: `#/components/responses/${code}` });
  return {
    "200": good,
    "400": bad("invalid_argument"),
    "401": bad("unauthorized"),
    ...(method.access === "write" ? { "403": bad("forbidden"), "409": bad("config_refused") } : {}),
    "404": bad("not_found"),
    "413": bad("too_large"),
    "500": bad("internal"),
  };
}

function errorResponse(code: ErrorCode, status: number): object {
  return {
    description: `${code} (${status})`,
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
}

function textOperation(operationId: string, summary: string, type: string): object {
  return {
    operationId,
    summary,
    tags: ["read"],
    responses: { "200": { description: summary, content: { [type]: {} } } },
  };
}
