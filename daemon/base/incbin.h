/*
 * Files of the tree that a program carries. The assembler reads each file, so no copy of it in C exists.
 *
 * The makefile defines EMBED_TOP, the top of the tree, and lists the files as dependencies of the object.
 */
#ifndef BASE_INCBIN_H
#define BASE_INCBIN_H

/* clang-format off */
#define EMBED_BYTES(sym, path)                                                                               \
	__asm__(".pushsection .rodata\n"                                                                     \
		".global embed_" #sym ", embed_" #sym "_end\n"                                               \
		"embed_" #sym ":\n"                                                                          \
		".incbin \"" EMBED_TOP "/" path "\"\n"                                                       \
		"embed_" #sym "_end:\n"                                                                      \
		".popsection\n");                                                                            \
	extern const char embed_##sym[], embed_##sym##_end[];
/* clang-format on */

#endif
