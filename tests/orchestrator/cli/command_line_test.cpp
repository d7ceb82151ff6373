// The frame of the command line: what is understood, and above all what is not.

#include "orchestrator/cli/command_line.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>

#include "engine/error.h"
#include "orchestrator/cli/global_options.h"
#include "orchestrator/cli/help.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/word_reader.h"

using drover::Error;
using drover::ErrorCode;
using namespace drover::orchestrator::cli;

namespace {

using Takes = OptionSpec::Takes;
using Words = std::vector<std::string>;

int do_nothing(Invocation&) {
  return 0;
}

const std::vector<VerbSpec>& verbs() {
  static const std::vector<VerbSpec> kVerbs{
      {"upgrade",
       "take tenants up",
       "  drover upgrade 0004\n",
       {{"revision", Takes::word, "REVISION", "where to"},
        {"--confirm", Takes::value, "NAME", "the name"},
        {"--create-files", Takes::nothing, "", "make files"}},
       VerbSpec::Selectors::yes,
       do_nothing},
      {"create",
       "a new file",
       "",
       {{"text", Takes::word, "MESSAGE", "what it does", OptionSpec::Need::required},
        {"-m,--message", Takes::value, "MESSAGE", "the same"},
        {"--parent", Takes::values, "REF", "what it follows"}},
       VerbSpec::Selectors::no,
       do_nothing},
      {"merge",
       "join heads",
       "",
       {{"revisions", Takes::words, "REF", "what"}},
       VerbSpec::Selectors::no,
       do_nothing},
      {"config show", "every setting", "", {}, VerbSpec::Selectors::no, do_nothing},
      {"lock show", "who holds them", "", {}, VerbSpec::Selectors::no, do_nothing},
      {"lock release", "end one", "", {}, VerbSpec::Selectors::no, do_nothing},
      {"version", "which build", "", {}, VerbSpec::Selectors::no, do_nothing}};
  return kVerbs;
}

CommandLine parsed(const Words& words) {
  auto result = parse_command_line(words, verbs(), {{"HOME", "/root"}}, "/desk");
  REQUIRE(std::holds_alternative<CommandLine>(result));
  return std::get<CommandLine>(std::move(result));
}

std::string help_of(const Words& words) {
  const auto result = parse_command_line(words, verbs(), {}, "/desk");
  REQUIRE(std::holds_alternative<HelpText>(result));
  return std::get<HelpText>(result).text;
}

}  // namespace

TEST_CASE("global options stand before the verb and behind it", "[cli]") {
  for (const Words& words :
       {Words{"-e", "staging", "-o", "json", "upgrade", "0004", "-y"},
        Words{"upgrade", "0004", "--environment", "staging", "--output=json", "--yes"},
        Words{"upgrade", "-e", "staging", "-yo", "json", "0004"},
        Words{"-estaging", "upgrade", "-ojson", "-y", "--", "0004"}}) {
    CAPTURE(words);
    const CommandLine line = parsed(words);
    CHECK(line.verb->name == "upgrade");
    CHECK(line.globals.environment == "staging");
    CHECK(line.globals.output == OutputFormat::json);
    CHECK(line.globals.yes);
    CHECK_FALSE(line.globals.no_input);
    CHECK(line.arguments.value("revision") == "0004");
    CHECK(line.globals.working_directory == "/desk");
    CHECK(line.globals.variables.at("HOME") == "/root");
  }
}

TEST_CASE("what was not given is absent, and asking for what there is not is a bug", "[cli]") {
  const CommandLine line = parsed({"upgrade"});
  CHECK_FALSE(line.arguments.has("revision"));
  CHECK(line.arguments.optional("confirm") == std::nullopt);
  CHECK(line.arguments.value("confirm").empty());
  CHECK(line.globals.output == OutputFormat::table);
  CHECK_FALSE(line.globals.limit);
  CHECK_THROWS_AS(line.arguments.has("cofnirm"), std::logic_error);
}

TEST_CASE("references that begin with a sign are words", "[cli]") {
  CHECK(parsed({"upgrade", "+2"}).arguments.value("revision") == "+2");
  CHECK(parsed({"upgrade", "-1"}).arguments.value("revision") == "-1");
  CHECK(parsed({"create", "x", "--parent", "-1"}).arguments.values("parent") == Words{"-1"});
  CHECK(parsed({"upgrade", "-"}).arguments.value("revision") == "-");
}

TEST_CASE("brackets, braces, commas and equal signs in a value mean nothing", "[cli]") {
  for (const char* odd : {"[a,b]",
                          "{}",
                          "a,b",
                          "a=b",
                          "%%",
                          "'",
                          "\"",
                          "$HOME",
                          "*",
                          "a b",
                          "line\nbreak",
                          "tab\there",
                          "M\xC3\xBCller"}) {
    CAPTURE(odd);
    CHECK(parsed({"create", odd}).arguments.value("text") == odd);
    CHECK(parsed({"create", "x", "-m", odd}).arguments.value("message") == odd);
    CHECK(parsed({"create", "x", "--parent", odd}).arguments.values("parent") == Words{odd});
    CHECK(parsed({"merge", odd, odd}).arguments.values("revisions") == Words{odd, odd});
  }
  CHECK(parsed({"create", "x", "--message=--yes"}).arguments.value("message") == "--yes");
  CHECK(parsed({"create", "x", "--message=a=b"}).arguments.value("message") == "a=b");
}

TEST_CASE("behind two dashes everything is a word", "[cli]") {
  CHECK(parsed({"merge", "a", "--", "--yes", "--", "-q"}).arguments.values("revisions") ==
        Words{"a", "--yes", "--", "-q"});
}

TEST_CASE("selectors keep what was typed; only states are cut here", "[cli]") {
  const CommandLine line = parsed({"upgrade",
                                   "--tenant",
                                   "a\\,b,c",
                                   "--tenant=d",
                                   "-l",
                                   "tier=free,region!=eu",
                                   "--status",
                                   "behind,partial",
                                   "--limit",
                                   "10"});
  CHECK(line.globals.tenants == Words{"a\\,b,c", "d"});
  CHECK(line.globals.labels == Words{"tier=free,region!=eu"});
  CHECK(line.globals.states == Words{"behind", "partial"});
  CHECK(line.globals.limit == 10);
  CHECK(parsed({"upgrade", "--tenant", ","}).globals.tenants == Words{","});
  CHECK(parsed({"upgrade", "--status", "behind,"}).globals.states == Words{"behind", ""});
}

TEST_CASE("a verb of two words, and --version", "[cli]") {
  CHECK(parsed({"config", "show", "-v"}).verb->name == "config show");
  CHECK(parsed({"-v", "config", "show"}).globals.verbose);
  CHECK(parsed({"--version"}).verb->name == "version");
  const CommandLine line = parsed({"-o", "json", "--version"});
  CHECK(line.verb->name == "version");
  CHECK(line.globals.output == OutputFormat::json);
}

TEST_CASE("bad command lines are refused with what is wrong and what to do", "[cli]") {
  struct Case {
    Words words;
    std::string message;
    std::string hint;
  };
  const std::string see_upgrade = "See drover upgrade --help.";
  const std::string unset = "Give a value, or leave it out. Is a variable not set?";
  const std::string behind = "Options of a verb stand behind it: drover VERB [options].";
  const std::vector<Case> cases = {
      // verbs
      {{"upgrad"}, "there is no verb 'upgrad'", "Did you mean 'upgrade'?"},
      {{"ugprade"}, "there is no verb 'ugprade'", "Did you mean 'upgrade'?"},
      {{"UPGRADE"}, "there is no verb 'UPGRADE'", "Did you mean 'upgrade'?"},
      {{"upgradee", "head"}, "there is no verb 'upgradee'", "Did you mean 'upgrade'?"},
      {{"u"}, "there is no verb 'u'", "See drover --help for the verbs."},
      {{"frobnicate"}, "there is no verb 'frobnicate'", "See drover --help for the verbs."},
      {{"config"}, "there is no verb 'config'", "Say drover config show."},
      {{"config", "shwo"}, "there is no verb 'config'", "Say drover config show."},
      {{"lock"}, "there is no verb 'lock'", "Say drover lock show or drover lock release."},
      {{"hlep"}, "there is no verb 'hlep'", "Did you mean 'help'?"},
      {{"help", "upgrde"}, "there is no help on 'upgrde'", "Did you mean 'upgrade'?"},
      {{""}, "there is no verb ''", "See drover --help for the verbs."},
      {{"-"}, "there is no verb '-'", "See drover --help for the verbs."},
      {{"-q"}, "there is no verb", "See drover --help for the verbs."},
      {{"-e"}, "there is no verb", "See drover --help for the verbs."},
      {{"--config", "x"}, "there is no verb", "See drover --help for the verbs."},
      // options before the verb
      {{"--confirm", "x", "upgrade"}, "there is no global option --confirm", behind},
      {{"--confi=x", "upgrade"}, "there is no global option --confi", behind},
      {{"-z", "upgrade"}, "there is no global option -z", behind},
      {{"--", "upgrade"}, "there is no global option --", behind},
      // unknown, abbreviated, misspelt, glued
      {{"upgrade", "--frobnicate"}, "upgrade has no option --frobnicate", see_upgrade},
      {{"upgrade", "--confrim", "x"}, "upgrade has no option --confrim", "Did you mean --confirm?"},
      {{"upgrade", "--conf", "x"}, "upgrade has no option --conf", "Did you mean --config?"},
      {{"upgrade", "--confir=x"}, "upgrade has no option --confir", "Did you mean --confirm?"},
      {{"upgrade", "--create_files"},
       "upgrade has no option --create_files",
       "Did you mean --create-files?"},
      {{"upgrade", "--tenantacme"}, "upgrade has no option --tenantacme", "Did you mean --tenant?"},
      {{"upgrade", "--Yes"}, "upgrade has no option --Yes", "Did you mean --yes?"},
      {{"upgrade", "---yes"}, "upgrade has no option ---yes", "Did you mean --yes?"},
      {{"upgrade", "-z"}, "upgrade has no option -z", see_upgrade},
      {{"upgrade", "-qz"}, "upgrade has no option -z", see_upgrade},
      {{"upgrade", "--message", "x"}, "upgrade has no option --message", see_upgrade},
      {{"create", "x", "--tenant", "a"},
       "create has no option --tenant",
       "See drover create --help."},
      {{"create", "x", "-l", "a"}, "create has no option -l", "See drover create --help."},
      // values
      {{"upgrade", "--confirm"}, "--confirm needs a value", see_upgrade},
      {{"upgrade", "-e"}, "-e needs a value", see_upgrade},
      {{"upgrade", "--confirm", "--yes"},
       "--confirm needs a value",
       "A value that begins with a dash is written --confirm=VALUE."},
      {{"upgrade", "-e", "--yes"}, "-e needs a value", see_upgrade},
      {{"upgrade", "--confirm", "--", "x"},
       "--confirm needs a value",
       "A value that begins with a dash is written --confirm=VALUE."},
      {{"upgrade", "--confirm="}, "--confirm has an empty value", unset},
      {{"upgrade", "--confirm=", "x"}, "--confirm has an empty value", unset},
      {{"upgrade", "--confirm", ""}, "--confirm has an empty value", unset},
      {{"upgrade", "--tenant", ""}, "--tenant has an empty value", unset},
      {{"upgrade", "--tenant="}, "--tenant has an empty value", unset},
      {{"upgrade", "-l", ""}, "-l has an empty value", unset},
      {{"upgrade", "-c", ""}, "-c has an empty value", unset},
      {{"upgrade", "--yes=true"}, "--yes takes no value", "Say --yes, or leave it out."},
      {{"upgrade", "--yes=false"}, "--yes takes no value", "Say --yes, or leave it out."},
      {{"upgrade", "--dry-run="},
       "--dry-run has an empty value",
       "Give a value, or leave it out. Is a variable not set?"},
      {{"upgrade", "--dry-run=all"},
       "--dry-run takes rollback or nothing, not 'all'",
       "Say --dry-run, or --dry-run=rollback."},
      // repeated
      {{"upgrade", "--confirm", "a", "--confirm", "b"},
       "--confirm is given twice",
       "Keep one of the two."},
      {{"upgrade", "-e", "a", "--environment=a"},
       "--environment is given twice",
       "Keep one of the two."},
      {{"-e", "a", "upgrade", "-e", "b"}, "-e is given twice", "Keep one of the two."},
      {{"upgrade", "--limit", "1", "--limit", "2"},
       "--limit is given twice",
       "Keep one of the two."},
      // words
      {{"upgrade", "0003", "0004"}, "upgrade has no use for the word '0004'", see_upgrade},
      {{"upgrade", "", "0004"},
       "upgrade is given an empty word",
       "Take it out. Is a variable not set?"},
      {{"config", "show", "x"},
       "config show has no use for the word 'x'",
       "See drover config show --help."},
      {{"create"}, "create needs MESSAGE", "See drover create --help."},
      // formats and numbers
      {{"upgrade", "-o", "xml"},
       "'xml' is not an output format",
       "Known are table, json, yaml, ndjson and csv."},
      {{"upgrade", "-o", "jsno"}, "'jsno' is not an output format", "Did you mean 'json'?"},
      {{"upgrade", "-o", "JSON"}, "'JSON' is not an output format", "Did you mean 'json'?"},
      {{"upgrade", "-o", "json,csv"},
       "'json,csv' is not an output format",
       "Known are table, json, yaml, ndjson and csv."},
      {{"upgrade", "--limit", "0"},
       "--limit takes a whole number from 1 to 1000000, not '0'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", "-1"},
       "--limit takes a whole number from 1 to 1000000, not '-1'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", "5x"},
       "--limit takes a whole number from 1 to 1000000, not '5x'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", "1e9"},
       "--limit takes a whole number from 1 to 1000000, not '1e9'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", "0x10"},
       "--limit takes a whole number from 1 to 1000000, not '0x10'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", " 5"},
       "--limit takes a whole number from 1 to 1000000, not ' 5'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", "+5"},
       "--limit takes a whole number from 1 to 1000000, not '+5'",
       "Write for example --limit 10."},
      {{"upgrade", "--limit", "99999999999999999999"},
       "--limit takes a whole number from 1 to 1000000, not '99999999999999999999'",
       "Write for example --limit 10."},
      // contradictions
      {{"upgrade", "-qv"}, "--quiet and --verbose contradict each other", "Give one of the two."},
      {{"upgrade", "--database", "sqlite:x", "-c", "y"},
       "--database and --config contradict each other",
       "Give one of the two."},
      {{"upgrade", "--database", "sqlite:x", "-e", "y"},
       "--database and --environment contradict each other",
       "Give one of the two."},
      // what no argument may hold
      {{"upgrade", "\x1b[2J"}, "argument 2 holds a control character", "Take it out."},
      {{"upgrade", "a\x7f"}, "argument 2 holds a control character", "Take it out."},
      {{"upgrade", std::string("a\0b", 3)}, "argument 2 holds a control character", "Take it out."},
      {{"upgrade", "\r"}, "argument 2 holds a control character", "Take it out."},
      {{"upgrade", "\xFF"}, "argument 2 is not UTF-8", "Take it out."},
      {{"upgrade", "\xC0\xAF"}, "argument 2 is not UTF-8", "Take it out."},
      {{"\xED\xA0\x80"}, "argument 1 is not UTF-8", "Take it out."},
      {{"upgrade", std::string(1'000'000, 'a')},
       "argument 2 is 1000000 bytes long, and the most is 65536",
       "Take it out."},
      {{std::string(65'537, '-')},
       "argument 1 is 65537 bytes long, and the most is 65536",
       "Take it out."}};
  CHECK(cases.size() >= 60);
  for (const Case& one : cases) {
    CAPTURE(one.words.front().substr(0, 40), one.message);
    try {
      parse_command_line(one.words, verbs(), {}, "/desk");
      FAIL_CHECK("was accepted");
    } catch (const Error& error) {
      CHECK(error.what() == one.message);
      CHECK(error.hint() == one.hint);
      CHECK(error.code() == ErrorCode::usage);
      CHECK((error.kind_name() == "invalid_arguments" || error.kind_name() == "unknown_verb"));
    }
  }
}

TEST_CASE("no verb of the program gives a name two meanings", "[cli]") {
  for (const VerbSpec& verb : all_verbs()) {
    CAPTURE(verb.name);
    std::set<std::string> keys;
    std::set<std::string> typed;
    const auto take = [&](const OptionSpec& option) {
      CHECK(keys.insert(key_of(option)).second);
      for (const std::string& name : typed_names(option)) {
        CAPTURE(name);
        CHECK(typed.insert(name).second);
      }
    };
    for (const auto options :
         {std::span<const OptionSpec>(verb.options), global_options(), selector_options()}) {
      std::for_each(options.begin(), options.end(), take);
    }
    CHECK(verb.run != nullptr);
    CHECK_FALSE(verb.summary.empty());
  }
}

TEST_CASE("many selectors are read in no time", "[cli]") {
  Words words{"upgrade"};
  for (int i = 0; i < 100'000; ++i) {
    words.push_back("--tenant");
    words.push_back("t" + std::to_string(i));
  }
  CHECK(parsed(words).globals.tenants.size() == 100'000);
}

TEST_CASE("help is made of the table", "[cli]") {
  const std::string all = help_of({});
  CHECK(all == help_of({"--help"}));
  CHECK(all == help_of({"help"}));
  CHECK(all == help_of({"-q", "-h"}));
  for (const VerbSpec& verb : verbs()) {
    CHECK(all.find("\n  " + std::string(verb.name) + " ") != std::string::npos);
  }
  CHECK(help_of({"upgrade", "--help"}) == help_of({"help", "upgrade"}));
  CHECK(help_of({"upgrade", "--frobnicate", "-h"}) == help_of({"help", "upgrade"}));
  CHECK(help_of({"config", "show", "-h"}) == help_of({"help", "config", "show"}));
  const std::string upgrade = help_of({"help", "upgrade"});
  CHECK(upgrade.starts_with("take tenants up\n\nUsage: drover upgrade [options] [REVISION]\n"));
  CHECK(upgrade.find("      --confirm NAME            the name\n") != std::string::npos);
  CHECK(upgrade.find("Which tenants\n") != std::string::npos);
  CHECK(help_of({"help", "create"}).find("Which tenants\n") == std::string::npos);
  CHECK(help_of({"help", "exit-codes"}).find("  74  our own input") != std::string::npos);
}

TEST_CASE("no line of a help text is wider than a terminal", "[cli]") {
  for (const char* topic : {"",
                            "upgrade",
                            "exit-codes",
                            "references",
                            "environment",
                            "selectors",
                            "migrations",
                            "hooks",
                            "backups",
                            "batches",
                            "output"}) {
    const std::string text = *topic == '\0' ? help_of({"help"}) : help_of({"help", topic});
    std::size_t at = 0;
    for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', at)) {
      CAPTURE(topic, text.substr(at, end - at));
      CHECK(end - at <= 100);
      CHECK((end == at || text[end - 1] != ' '));
      at = end + 1;
    }
    CHECK(at == text.size());
  }
}

TEST_CASE("whatever is typed, it is understood or refused", "[cli]") {
  const auto seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const Words parts = {"upgrade", "create",      "merge",     "config",  "show", "help",
                       "--",      "-",           "-q",        "-v",      "-e",   "-o",
                       "json",    "--tenant",    "--tenant=", "--limit", "7",    "-1",
                       "--yes",   "--confirm=x", "",          "\x01",    "\xFF", "--help",
                       "[a]",     "a,b",         "-ex"};
  for (int i = 0; i < 5'000; ++i) {
    Words words;
    for (int n = std::uniform_int_distribution<int>(0, 6)(random); n > 0; --n) {
      words.push_back(
          parts[std::uniform_int_distribution<std::size_t>(0, parts.size() - 1)(random)]);
    }
    CAPTURE(words);
    try {
      parse_command_line(words, verbs(), {}, "/desk");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK_FALSE(error.hint().empty());
    }
  }
}
