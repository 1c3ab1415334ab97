# The routers that static executables are made for, in zig's words. Processors: what the oldest routers of each kind have. ARM
# and MIPS without floating point: many have none.
TARGET_x86_64 := x86_64-linux-musl -mcpu=x86_64
TARGET_aarch64 := aarch64-linux-musl -mcpu=generic
TARGET_arm := arm-linux-musleabi -mcpu=generic+v7a+soft_float
# … and for files that are compiled a second time, for ARM with NEON. (zig's soft-float ABI has no NEON; for functions that
# take no floating-point numbers the other ABI is the same.)
TARGET_arm_neon := arm-linux-musleabihf -mcpu=generic+v7a+neon
TARGET_mipsel := mipsel-linux-musleabi -mcpu=mips32r2+soft_float
TARGET_mips := mips-linux-musleabi -mcpu=mips32r2+soft_float
