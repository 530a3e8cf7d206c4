// Nothing to call: what links this target has its functions in the place of the C library's own.
//
// `free` and `realloc` wipe what they let go, for the program and for every library in it (docs/decisions/0010-wiping-heap.md).
#pragma once
