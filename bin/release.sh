#!/usr/bin/env bash
# Tag the version of pyproject.toml as a release, after everything that a release needs was checked. It pushes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

stop() {
  echo "clac: $1" >&2
  exit 1
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || stop "the version in pyproject.toml, “$version”, is not of the form 1.2.3"
[[ -z $(git status --porcelain) ]] || stop "there are changes that are not committed"
! git rev-parse -q --verify "refs/tags/v$version" >/dev/null || stop "v$version exists already; raise the version in pyproject.toml"
grep -qE "^## \[${version//./\\.}\] – [0-9]{4}-[0-9]{2}-[0-9]{2}$" CHANGELOG.md || stop "CHANGELOG.md has no heading “## [$version] – $(date +%F)”"
.ci/run || stop "the checks failed"
[[ -z $(git status --porcelain) ]] || stop "the checks changed files"
git tag -a "v$version" -m "CLAC $version"
echo "clac: tagged v$version; publish it with: git push origin main v$version"
