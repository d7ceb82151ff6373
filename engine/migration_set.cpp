#include "engine/migration_set.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "engine/base/sha256.h"

namespace drover::engine {
namespace {

constexpr std::array<Dialect, 2> kDialects = {Dialect::postgres, Dialect::sqlite};

Revision node_of(const Migration& migration) {
  return {migration.id,
          migration.parents,
          migration.source,
          migration.depends,
          migration.labels,
          migration.message};
}

/// The chain checksum of a revision whose own checksum is `up`. `chains` are those of what it
/// needs.
std::string chain_of(std::string_view up, std::vector<std::string_view> chains) {
  std::sort(chains.begin(), chains.end());
  std::string text;
  text.reserve((chains.size() + 1) * (up.size() + 1));
  text.append(up).append("\n");
  for (const std::string_view chain : chains) {
    text.append(chain).append("\n");
  }
  return base::sha256_hex(text);
}

}  // namespace

MigrationSet::MigrationSet(std::vector<Migration> in_order, RevisionGraph graph)
    : in_order_(std::move(in_order)), graph_(std::move(graph)) {
  for (Migration& migration : in_order_) {
    for (const Dialect dialect : kDialects) {
      Checksums& checksums = migration.checksums[dialect];
      checksums.chain = chain_of(checksums.up, needed_chains(migration, dialect));
    }
  }
}

/// What `migration` needs stands before it in the order, so the chains are known already.
std::vector<std::string_view> MigrationSet::needed_chains(const Migration& migration,
                                                          Dialect dialect) const {
  std::vector<std::string_view> chains;
  for (const auto* list : {&migration.parents, &migration.depends}) {
    for (const RevisionId& id : *list) {
      chains.push_back(find(id)->checksums.at(dialect).chain);
    }
  }
  return chains;
}

MigrationSet MigrationSet::build(std::vector<Migration> migrations) {
  std::vector<Revision> nodes;
  nodes.reserve(migrations.size());
  std::transform(migrations.begin(), migrations.end(), std::back_inserter(nodes), node_of);
  RevisionGraph graph = RevisionGraph::build(std::move(nodes));

  std::vector<Migration> in_order(migrations.size());
  for (Migration& migration : migrations) {
    in_order[*graph.position(migration.id)] = std::move(migration);
  }
  return {std::move(in_order), std::move(graph)};
}

const Migration* MigrationSet::find(const RevisionId& id) const noexcept {
  const auto position = graph_.position(id);
  return position ? &in_order_[*position] : nullptr;
}

std::string MigrationSet::digest() const {
  base::Sha256 sha;
  for (const Migration& migration : in_order_) {
    sha.add(migration.id.value).add("\n");
    for (const Dialect dialect : kDialects) {
      const Checksums& checksums = migration.checksums.at(dialect);
      sha.add(checksums.up).add("\n").add(checksums.down).add("\n").add(checksums.chain).add("\n");
    }
  }
  return base::to_hex(sha.finish());
}

}  // namespace drover::engine
