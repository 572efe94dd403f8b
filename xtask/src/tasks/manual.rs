//! The manual: the pages of `docs/` as a site.

use std::process::Command;

use crate::group::Outcome;
use crate::process;
use crate::setup;
use crate::workspace;

/// Builds the site into `target/manual`. A link to a page or heading that is not
/// there fails it, and so does a page that is not in the table of contents.
pub(crate) fn check() -> Outcome {
    let python = match setup::python_with_mkdocs() {
        Ok(python) => python,
        Err(missing) => return Outcome::skipped(missing.why, missing.enable),
    };
    let configuration = workspace::root().join("docs/manual/mkdocs.yml");
    let mut build = Command::new(python);
    // Not --quiet: with it, --strict does not see warnings.
    build.args(["-B", "-m", "mkdocs", "build", "--strict"]);
    build.arg("--config-file").arg(configuration);
    build
        .arg("--site-dir")
        .arg(workspace::target_dir().join("manual"));
    process::run(&mut build).into()
}
