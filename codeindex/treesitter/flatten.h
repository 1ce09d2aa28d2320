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
uint32_t rm_flatten(rm_node root, const char *src, rm_flat *out, uint32_t cap, uint32_t max_depth);

#endif
