// The parts of tree-sitter's C interface (version 0.22, tree_sitter/api.h) that flattening a tree
// needs. They are declared here because cgo cannot include a header of another Go module; the
// functions themselves come with github.com/smacker/go-tree-sitter.
#ifndef REMEDIATOR_FLATTEN_H
#define REMEDIATOR_FLATTEN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint32_t context[4];
  const void *id;
  const void *tree;
} rm_node;

typedef struct {
  uint16_t kind, field;
  uint32_t start, end, row, next, flags;
} rm_flat;

uint32_t rm_count(rm_node root);
bool rm_broken(rm_node root);

// closed has a byte per symbol of the grammar: 1 for kinds whose inside is left out.
uint32_t rm_flatten(rm_node root, const char *src, const uint8_t *closed, uint32_t symbols, rm_flat *out, uint32_t cap, uint32_t max_depth);

#endif
