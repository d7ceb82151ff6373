#include "orchestrator/cli/revision_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

using engine::RevisionId;

bool holds(const std::vector<RevisionId>& ids, const RevisionId& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

bool is_branch_point(const engine::RevisionGraph& graph, const RevisionId& id) {
  return graph.children_of(id).size() > 1;
}

void add_field(std::string& text, std::string_view name, const std::string& value) {
  if (!value.empty()) {
    text += fmt::format("{:<10} {}\n", name, report::printable(value));
  }
}

}  // namespace

std::string ids_text(const std::vector<RevisionId>& ids) {
  return ids.empty() ? "none" : engine::listed(ids, ids.size());
}

std::vector<std::string> RevisionView::marks_of(const RevisionId& id) const {
  const engine::RevisionGraph& graph = migrations.graph();
  std::vector<std::string> marks = graph.find(id)->labels;
  if (graph.children_of(id).empty()) {
    marks.emplace_back("head");
  }
  if (is_branch_point(graph, id)) {
    marks.emplace_back("branchpoint");
  }
  if (graph.find(id)->parents.size() > 1) {
    marks.emplace_back("mergepoint");
  }
  if (holds(current, id)) {
    marks.emplace_back("current");
  }
  return marks;
}

std::string RevisionView::line(const RevisionId& id) const {
  std::string text = id.value;
  for (const std::string& mark : marks_of(id)) {
    text += fmt::format(" ({})", mark);
  }
  const std::string& message = migrations.graph().find(id)->message;
  return report::printable(message.empty() ? text : text + ", " + message);
}

std::string RevisionView::step_line(const RevisionId& id) const {
  const std::vector<RevisionId>& parents = migrations.graph().find(id)->parents;
  return fmt::format(
      "{} -> {}", parents.empty() ? std::string("base") : ids_text(parents), line(id));
}

std::string RevisionView::paragraph(const RevisionId& id) const {
  const engine::Migration& migration = *migrations.find(id);
  std::vector<std::string> marks = marks_of(id);
  marks.erase(marks.begin(), marks.begin() + static_cast<std::ptrdiff_t>(migration.labels.size()));
  std::string text;
  add_field(text,
            "Revision",
            marks.empty() ? id.value : fmt::format("{} ({})", id.value, fmt::join(marks, ") (")));
  add_field(text, "Parents", ids_text(migration.parents));
  add_field(text, "Depends on", migration.depends.empty() ? "" : ids_text(migration.depends));
  add_field(text, "Labels", fmt::format("{}", fmt::join(migration.labels, ", ")));
  add_field(text, "Message", migration.message);
  add_field(text, "File", shown_path(globals, migration.source));
  return text;
}

report::Value RevisionView::value(const RevisionId& id) const {
  const engine::RevisionGraph& graph = migrations.graph();
  const engine::Migration& migration = *migrations.find(id);
  report::Value value = report::Value::object();
  value.set("id", id.value)
      .set("parents", report::list_of(migration.parents))
      .set("depends", report::list_of(migration.depends))
      .set("labels", report::list_of(migration.labels))
      .set("message", migration.message)
      .set("file", shown_path(globals, migration.source))
      .set("children", report::list_of(graph.children_of(id)))
      .set("head", graph.children_of(id).empty())
      .set("branchpoint", is_branch_point(graph, id))
      .set("mergepoint", migration.parents.size() > 1)
      .set("current", holds(current, id));
  return value;
}

report::Document revisions_document(const report::Occasion& occasion,
                                    const RevisionView& view,
                                    const std::vector<RevisionId>& ids) {
  report::Value rows = report::Value::list();
  for (const RevisionId& id : ids) {
    rows.add(view.value(id));
  }
  report::Value value = report::opening(occasion);
  value.set("revisions", std::move(rows));
  return {std::move(value),
          "revisions",
          {"id", "parents", "depends", "labels", "message", "file", "head", "current"}};
}

}  // namespace drover::orchestrator::cli
