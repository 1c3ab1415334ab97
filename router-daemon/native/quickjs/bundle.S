/* BUNDLE is the file's name, given by the Makefile. */
  .section .rodata
  .globl kcp_router_bundle, kcp_router_bundle_end
  .balign 8
kcp_router_bundle:
  .incbin BUNDLE
kcp_router_bundle_end:
  .byte 0
  .section .note.GNU-stack, "", %progbits
