//go:build cgo

#include "flatten.h"
#include <stdlib.h>

typedef struct {
  const void *tree;
  const void *id;
  uint32_t context[3];
} rm_cursor;

extern uint32_t ts_node_descendant_count(rm_node);
extern uint16_t ts_node_symbol(rm_node);
extern uint32_t ts_node_end_byte(rm_node);
extern bool ts_node_is_named(rm_node);
extern bool ts_node_is_missing(rm_node);
extern bool ts_node_is_null(rm_node);
extern bool ts_node_has_error(rm_node);
extern rm_cursor ts_tree_cursor_new(rm_node);
extern void ts_tree_cursor_delete(rm_cursor *);
extern rm_node ts_tree_cursor_current_node(const rm_cursor *);
extern uint16_t ts_tree_cursor_current_field_id(const rm_cursor *);
extern bool ts_tree_cursor_goto_parent(rm_cursor *);
extern bool ts_tree_cursor_goto_next_sibling(rm_cursor *);
extern bool ts_tree_cursor_goto_first_child(rm_cursor *);

uint32_t rm_count(rm_node root) {
  return ts_node_is_null(root) ? 0 : ts_node_descendant_count(root);
}

bool rm_broken(rm_node root) { return !ts_node_is_null(root) && ts_node_has_error(root); }

// punctuation is never an operator nor a keyword, so that it cannot carry a field of interest.
static bool punctuation(char c) {
  switch (c) {
    case '(': case ')': case '{': case '}': case '[': case ']': case ',': case ';': case '.': case ':': case '"': case '\'': case '`': return true;
  }
  return false;
}

// rm_flatten writes the nodes of the tree in preorder. Nodes below max_depth are left out; so are
// anonymous nodes that neither carry a field name nor stand for an error. This loop runs for every
// node of every file: a call less is measurable, hence the order of the questions.
uint32_t rm_flatten(rm_node root, const char *src, const uint8_t *closed, uint32_t symbols, rm_flat *out, uint32_t cap, uint32_t max_depth) {
  if (cap == 0 || max_depth == 0 || ts_node_is_null(root)) return 0;
  // open holds, per level, the position of the emitted node whose end is not known yet,
  // or UINT32_MAX for a node that was left out.
  uint32_t *open = malloc(sizeof(uint32_t) * (size_t)(max_depth + 1));
  if (open == NULL) return 0;
  rm_cursor cursor = ts_tree_cursor_new(root);
  uint32_t n = 0, depth = 0;
  for (;;) {
    rm_node node = ts_tree_cursor_current_node(&cursor);
    // TSNode.context begins with the start byte and the start row (node.c, ts_node_new).
    uint32_t start = node.context[0], end = ts_node_end_byte(node);
    bool named = ts_node_is_named(node);
    bool missing = start == end && ts_node_is_missing(node);
    bool error = false, open_inside = true;
    open[depth] = UINT32_MAX;
    uint16_t field = 0;
    if (named || missing || !punctuation(src[start])) field = ts_tree_cursor_current_field_id(&cursor);
    if (named || field != 0 || missing) {
      if (n == cap) break;
      rm_flat *f = &out[n];
      f->kind = ts_node_symbol(node);
      error = f->kind == UINT16_MAX; // ts_builtin_sym_error
      // An error within must still be found.
      if (f->kind < symbols && closed[f->kind]) open_inside = ts_node_has_error(node);
      f->field = field;
      f->start = start;
      f->end = end;
      f->row = node.context[1];
      f->next = 0;
      f->flags = (error ? 1u : 0u) | (missing ? 2u : 0u);
      open[depth] = n++;
    }
    if (named && open_inside && end > start && depth + 1 < max_depth && ts_tree_cursor_goto_first_child(&cursor)) {
      depth++;
      continue;
    }
    for (;;) {
      if (open[depth] != UINT32_MAX) out[open[depth]].next = n;
      if (depth == 0) goto done;
      if (ts_tree_cursor_goto_next_sibling(&cursor)) break;
      ts_tree_cursor_goto_parent(&cursor);
      depth--;
    }
  }
  // The room ran out: close what is open.
  for (;;) {
    if (open[depth] != UINT32_MAX) out[open[depth]].next = n;
    if (depth-- == 0) break;
  }
done:
  ts_tree_cursor_delete(&cursor);
  free(open);
  return n;
}
