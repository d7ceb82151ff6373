// create: a new migration file, or another number for one.

#include <algorithm>

#include <fmt/format.h>

#include "engine/files/migration_dir.h"
#include "engine/files/migration_writer.h"
#include "engine/parse/migration_text.h"
#include "engine/revision_ref.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/new_revision.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

using engine::RevisionId;
using engine::files::NewMigration;
using engine::files::Template;

Error invalid(const std::string& message, std::string hint) {
  return {ErrorCode::usage, "invalid_arguments", message, std::move(hint)};
}

std::string message_of(const Arguments& arguments) {
  const std::optional<std::string> word = arguments.optional("text");
  const std::optional<std::string> option = arguments.optional("message");
  if (word && option) {
    throw invalid("the message was given twice, as a word and with --message",
                  "Keep one of the two.");
  }
  if (!word && !option) {
    throw invalid("create needs a message", "Say for example drover create \"add invoices\".");
  }
  return option ? *option : *word;
}

Template template_of(const Arguments& arguments) {
  if (arguments.has("empty") && arguments.has("data")) {
    throw invalid("--empty and --data contradict each other", "Give one of the two.");
  }
  if (arguments.has("data")) {
    return Template::data;
  }
  return arguments.has("empty") ? Template::empty : Template::normal;
}

/// What the new file follows: --parent, else the only head.
std::vector<RevisionId> parents_of(const engine::RevisionGraph& graph, const Arguments& arguments) {
  if (arguments.has("parent")) {
    const std::vector<std::string> refs = arguments.values("parent");
    const bool is_root = refs.size() == 1 && (refs.front() == "none" || refs.front() == "base");
    return is_root ? std::vector<RevisionId>() : revisions_named(graph, refs);
  }
  std::vector<RevisionId> heads = graph.heads();
  if (heads.size() > 1) {
    throw invalid(
        fmt::format("there are several heads to follow: {}", engine::listed(heads, heads.size())),
        "Name one with --parent, or join them first with drover merge.");
  }
  return heads;
}

int run_renumber(Invocation& invocation, Workspace& workspace, const std::string& name) {
  const Arguments& arguments = invocation.arguments;
  for (const char* other :
       {"text", "message", "empty", "data", "parent", "branch", "depends", "rev-id"}) {
    if (arguments.has(other)) {
      throw invalid("--renumber gives a file another number and takes nothing else",
                    "Name only the file.");
    }
  }
  const std::filesystem::path given(name);
  const std::filesystem::path file =
      given.is_absolute() ? given
                          : std::filesystem::path(invocation.globals.working_directory) / given;
  const auto loaded =
      engine::files::load_all(workspace.migrations_directory(), engine::parse::parse_migration);
  const auto renumbered = engine::files::renumber(file, loaded.migrations);
  invocation.console.say(
      fmt::format("{} is now revision {}; no tenant may have applied it under its old number",
                  printable(name),
                  renumbered.id.value));
  put_new_revision(invocation, workspace, {renumbered.id, renumbered.file, {}});
  return 0;
}

int run_create(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  Workspace workspace = workspace_of(invocation.globals);
  if (const auto file = arguments.optional("renumber")) {
    return run_renumber(invocation, workspace, *file);
  }
  NewMigration fresh;
  fresh.message = message_of(arguments);
  fresh.kind = template_of(arguments);
  fresh.labels = arguments.values("branch");
  const auto migrations = workspace.migrations();
  fresh.parents = parents_of(migrations->graph(), arguments);
  fresh.depends = revisions_named(migrations->graph(), arguments.values("depends"));
  fresh.id = new_id(workspace, arguments.optional("rev-id"));
  write_revision(invocation, workspace, fresh);
  if (fresh.kind == Template::normal) {
    invocation.console.say("a skeleton: there is no model to compare the database with");
  }
  return 0;
}

}  // namespace

VerbSpec create_verb() {
  using Takes = OptionSpec::Takes;
  return {"create",
          "a new migration file",
          "Writes a skeleton with up and down and prints its path.\n\n"
          "  drover create \"add invoices\"\n"
          "  drover create --data \"fill content hashes\"\n"
          "  drover create --parent 0007 --branch billing \"start billing\"\n"
          "  drover create --renumber migrations/0012_add_tax.sql    its number was taken\n",
          {{"text", Takes::word, "MESSAGE", "what the revision does, one line"},
           {"-m,--message", Takes::value, "MESSAGE", "the same"},
           {"--empty", Takes::nothing, "", "sections with nothing in them"},
           {"--data", Takes::nothing, "", "a batch that changes rows, and its verify"},
           {"--parent", Takes::values, "REF", "what it follows; none for a first revision"},
           {"--branch", Takes::values, "LABEL", "names the branch that begins here"},
           {"--depends", Takes::values, "REF", "what must have run without being followed"},
           {"--rev-id", Takes::value, "ID", "its id; default the next one"},
           {"--renumber", Takes::value, "FILE", "give an unapplied file the next number"}},
          VerbSpec::Selectors::no,
          run_create};
}

}  // namespace drover::orchestrator::cli
