/** Cuts a message into RpcPackets that fit a link (routes-rpc.md 1.5). */
import { encode, encodedLength } from "../../wire/messages/encode.ts";
import { CompressionAlgo, type RpcDescriptor, RpcPacket } from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";

/** Largest encoded RpcPacket: 1300 bytes less headers and the cipher's tail. */
export const MAX_RPC_PACKET_BYTES = 1248;

/** What all pieces of a message have in common. */
export interface PieceHead {
  readonly fromPeer: number;
  readonly toPeer: number;
  readonly transactionId: bigint;
  readonly descriptor: Init<RpcDescriptor>;
  readonly isRequest: boolean;
  readonly traceId: number;
}

/** We have no decompressor: peers that are told so never send us a compressed body. */
const NO_COMPRESSION = { algo: CompressionAlgo.none, acceptedAlgo: CompressionAlgo.none };

/** The encoded RpcPackets of a message, in order; an empty body still makes one. */
export function fragment(head: PieceHead, body: Uint8Array): Uint8Array[] {
  const first = pieceCapacity({ ...head, totalPieces: 0xffffffff, compressionInfo: NO_COMPRESSION });
  const later = pieceCapacity({ ...head, totalPieces: 0xffffffff, pieceIdx: 0xffffffff });
  const totalPieces = body.length <= first ? 1 : 1 + Math.ceil((body.length - first) / later);
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let pieceIdx = 0; pieceIdx < totalPieces; pieceIdx++) {
    const end = at + (pieceIdx === 0 ? first : later);
    const compressionInfo = pieceIdx === 0 ? NO_COMPRESSION : undefined;
    // The descriptor is repeated on every piece for old versions.
    pieces.push(
      encode(RpcPacket, { ...head, body: body.subarray(at, end), totalPieces, pieceIdx, compressionInfo }),
    );
    at = end;
  }
  return pieces;
}

/** Bytes of body that fit beside everything else, whatever the piece's numbers will be. */
function pieceCapacity(piece: Init<RpcPacket>): number {
  const room = MAX_RPC_PACKET_BYTES - encodedLength(RpcPacket, piece);
  return Math.max(1, room - 1 - (room < 0x80 ? 1 : 2));
}
