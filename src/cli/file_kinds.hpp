#pragma once
#include "staithe/diag/diagnostic.hpp"

#include <string>

/// What a file that `validate` meets is, told by its keys.
namespace staithe::cli {

enum class FileKind { playbook, suite, project, unreadable };

/// Of one that a person named: misspelt keys tell as well. What is no YAML at all is a finding.
FileKind kind_of(const std::string& text, const std::string& path, diag::Diagnostics& diagnostics);

/// Of one that lies in playbooks/: whether it is plainly not staithe's. A playbook has the key 'playbook',
/// also misspelt, or a section by its right name, and deploy.yml is one with `service` or `steps` too; of
/// what is no YAML the lines tell that look like keys, and where none does, it is nobody else's either. An
/// empty deploy.yml is staithe's; any other empty file is not.
bool is_of_another_tool(const std::string& text, const std::string& path);

/// Whether it has the key 'playbook', also misspelt, or a section, so that a playbook is what it is meant to
/// be. Of what is no YAML nobody can say that it has not.
bool has_words_of_playbook(const std::string& text, const std::string& path);

}  // namespace staithe::cli
