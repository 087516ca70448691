#pragma once
#include "app.hpp"

/// What the commands of the table run; each returns an exit code.
namespace staithe::cli {

int run_deploy(App& app);
int run_run(App& app);
int run_rollback(App& app);
int run_recover(App& app);
int run_exec(App& app);
int run_drain(App& app);
int run_restore(App& app);
int run_validate(App& app);

}  // namespace staithe::cli
