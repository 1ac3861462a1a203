#!/bin/sh
# Gets backups out of a skep repository without skep: sha256sum, jq, zstd, age (sealed repositories only) and coreutils do.
# Every backup carries this script and its own RESTORE.md, which tells how a whole cluster comes back.
#
#   sh restore.sh [-r REPOSITORY] [-i IDENTITY] COMMAND
#
#   list                                      the backups, newest first
#   check ID                                  read every stored byte of a backup
#   details ID                                what the cluster was: topology, schema, cut; as JSON
#   parts ID                                  node, store, files, bytes
#   files ID NODE STORE [PREFIX]              paths of a part, one JSON string a line
#   lay-out ID NODE STORE FOLDER [PREFIX]     write the files of a part below FOLDER; PREFIX is cut off their paths
#
# REPOSITORY is the folder two above this script unless it is named. IDENTITY is a file with an age identity
# (AGE-SECRET-KEY-1…), for sealed repositories. `lay-out` may be repeated: what is there with the right content stays.
# Notes of work go below $TMPDIR (200 MB for a million files).
#
# Exit codes: 0 ok, 1 failure, 2 usage, 4 damage found, 10 no repository, 12 no identity that fits, 15 another format.
set -u
LC_ALL=C
export LC_ALL

fail() { # CODE TEXT: ends the script
  printf 'restore.sh: %s\n' "$2" >&2
  exit "$1"
}

damage() { # TEXT: notes damage and goes on
  printf 'DAMAGE: %s\n' "$1" >&2
  echo . >>"$work/damage"
}

finish() { # ends with 4 when damage was noted, with 12 when something is sealed to other keys, with 1 when a file could not be written
  [ ! -s "$work/damage" ] || fail 4 "$(wc -l <"$work/damage") damaged: nothing of it was used"
  [ ! -s "$work/unopened" ] || fail 12 'the identity does not fit all of it: this needs an older identity too, in the same file'
  [ ! -s "$work/unwritten" ] || fail 1 "$(wc -l <"$work/unwritten") files could not be written; run the same command again"
}

usage() {
  head -n 12 <"$0" | tail -n +5 | cut -c3- >&2
  exit 2
}

# --- keys, manifests ------------------------------------------------------------------------------------------------

opened() { # KEY: the plain content of an object or a piece, by the suffixes of its key
  case $1 in
    *.zst.age) unsealed "$1" | zstd -dcq ;;
    *.age) unsealed "$1" ;;
    *.zst) zstd -dcq <"$repository/$1" ;;
    *) cat <"$repository/$1" ;;
  esac
}

unsealed() { # KEY
  need_identity
  unseal <"$repository/$1"
}

unseal() { # opens an age file; makes $work/closed when age says that it is sealed to other keys (or its header is damaged)
  age -d -i "$identity" 2>"$work/age" && return
  case $(cat "$work/age") in
    *'no identity matched'*) : >"$work/closed" ;;
    *) cat "$work/age" >&2 ;;
  esac
  return 1
}

need_tool() { # NAME: what is not there is not to be taken for damage
  command -v "$1" >/dev/null || fail 1 "$1 is not installed here"
}

need_identity() { # the same holds for a file that is no identity
  [ -n "$identity" ] || fail 12 'this repository is sealed: name a file with an age identity by -i IDENTITY'
  [ -r "$identity" ] && [ ! -d "$identity" ] || fail 12 "the identity $identity cannot be read"
  [ -z "$identity_tried" ] || return 0
  need_tool age
  # A pipe can be read only once.
  if [ -f "$identity" ]; then
    case $(head -c 26 <"$identity") in
      # It would ask for its passphrase.
      age-encryption.org/v1* | '-----BEGIN AGE ENCRYPTED F'*) ;;
      # Of whatever kind it is: age can seal to it.
      *) age -e -i "$identity" </dev/null >/dev/null 2>&1 || fail 12 "there is no identity that age can use in $identity" ;;
    esac
  fi
  identity_tried=yes
}

check_format() { # a file that is lost or torn tells nothing: its copy does, and else every manifest tells its own format
  for descriptor in "$repository/skep.json" "$repository/skep.copy.json"; do
    jq -e 'has("format")' "$descriptor" >/dev/null 2>&1 || continue
    jq -e '.format == 1 and ((.features // []) - ["sealed"] == [])' "$descriptor" >/dev/null 2>&1 ||
      fail 15 "$descriptor tells of a format or a feature that this script does not know"
    return
  done
}

is_whole() { # FILE ID: a manifest that its own checksum holds for
  [ -f "$1" ] && is_whole_size=$(wc -c <"$1") && [ "$is_whole_size" -gt 78 ] || return 1
  is_whole_sum=$(head -c "$((is_whole_size - 78))" <"$1" | sha256sum | cut -c1-64)
  [ "$(tail -c 78 <"$1")" = ",\"sha256\":\"$is_whole_sum\"}" ] || return 1
  jq -e --arg id "$2" '.id == $id' "$1" >/dev/null 2>&1
}

find_manifest() { # ID: sets `manifest` to the manifest, or to its copy where that one is damaged
  case $1 in '' | *[!0-9A-Za-z-]*) fail 2 "$1 is not the id of a backup" ;; esac
  for manifest in "$repository/backups/$1/manifest.json" "$repository/backups/$1/manifest.copy.json"; do
    if is_whole "$manifest" "$1"; then
      jq -e '.format == 1' "$manifest" >/dev/null || fail 15 "$manifest has a format that this script does not know"
      return 0
    fi
    [ ! -e "$manifest" ] || printf 'DAMAGE: %s cannot be trusted\n' "$manifest" >&2
  done
  return 1
}

open_backup() { # ID
  find_manifest "$1" || {
    [ -d "$repository/backups/$1" ] && fail 4 "backup $1 has no manifest that can be trusted"
    fail 2 "there is no backup $1"
  }
  sealed=$(jq 'has("sealed")' "$manifest")
}

open_part() { # ID NODE STORE: sets `part` to the line of the manifest
  open_backup "$1"
  part=$(jq -c --arg node "$2" --arg store "$3" '.parts[] | select(.node == $node and .store == $store)' "$manifest")
  [ -n "$part" ] || fail 2 "backup $1 has no $3 of node $2: see \`restore.sh parts $1\`"
}

# --- listings and inventories ---------------------------------------------------------------------------------------

batches() { # COMMAND…: runs it with the lines of stdin as arguments, at most 200 at a time
  batches_run=$1
  set --
  while read -r batches_line; do
    set -- "$@" "$batches_line"
    [ $# -lt 200 ] || { $batches_run "$@" || return; set --; }
  done
  [ $# -eq 0 ] || $batches_run "$@"
}

unpack() { # KEY…: opens pieces into $work/pieces; what cannot be opened is missed later
  for key in "$@"; do
    case $key in *.age)
      name=${key##*/}
      opened "$key" >"$work/pieces/${name%%.*}" 2>/dev/null || rm -f "$work/pieces/${name%%.*}"
      ;;
    esac
  done
  case $1 in *.zst) (cd "$repository" && zstd -dq --output-dir-flat "$work/pieces" "$@") 2>/dev/null || : ;; esac
}

join_pieces() { # NAME…
  (cd "$work/pieces" && cat "$@")
}

walk_check() { # a piece is named by its SHA-256; one that is sealed was checked by the inventory, and by age
  if [ -e "$work/closed" ]; then
    echo . >>"$work/unopened"
    return 1
  elif [ $walk_suffix = .zst ]; then
    while read -r name; do printf '%s  %s\n' "$name" "$name"; done >"$work/pieces.sums"
    (cd "$work/pieces" && sha256sum --quiet --strict -c "$work/pieces.sums" 2>/dev/null) | cut -d: -f1 >"$work/bad"
  else
    while read -r name; do [ -f "$work/pieces/$name" ] || printf '%s\n' "$name"; done >"$work/bad"
  fi
  [ -s "$work/bad" ] || return 0
  while read -r bad; do damage "piece $bad of a tree is missing or damaged"; done <"$work/bad"
  return 1
}

walk() { # listing|inventory ROOT FILE: writes the entries of a tree, one JSON object a line
  walk_suffix=.zst
  [ "$1 $sealed" != 'listing true' ] || walk_suffix=.zst.age
  printf '%s\n' "$2" >"$work/names"
  walk_level=
  while :; do
    rm -rf "$work/pieces" "$work/closed"
    mkdir "$work/pieces"
    while read -r name; do printf 'listings/%.2s/%s%s\n' "$name" "$name" "$walk_suffix"; done <"$work/names" | batches unpack
    walk_check <"$work/names" || return
    batches join_pieces <"$work/names" >"$work/lines"
    walk_found=$(head -n 1 <"$work/lines" | jq '.level')
    # Above level 0 a line names a piece of the next level; level 0 has the entries.
    if ! { [ "$walk_found" = "${walk_level:-$walk_found}" ] && jq -c --arg kind "$1" --argjson level "$walk_found" '
      if has("skep") then (if .skep == $kind and .level == $level then empty else error end)
      elif $level > 0 then .c else . end' <"$work/lines" >"$3" 2>/dev/null; }; then
      damage "the $1 $2 is not one"
      return 1
    fi
    [ "$walk_found" -gt 0 ] || return 0
    jq -r . <"$3" >"$work/names"
    walk_level=$((walk_found - 1))
  done
}

walk_stored() { # FILE: lines for `sha256sum -c` of all that `part` needs, with its stored bytes
  walk inventory "$(printf '%s' "$part" | jq -r .inventory)" "$work/inventory" || return
  jq -r "$JQ_ENTRY"'if .p then .h + "  listings/" + .p[:2] + "/" + .p + ".zst.age" else (.h // .o) + "  " + key end' \
    <"$work/inventory" >"$1"
}

check_stored() { # FILE: such lines
  [ -s "$1" ] || return 0
  (cd "$repository" && sha256sum --quiet -c "$1" 2>/dev/null) >"$work/bad" && return
  check_failed=0
  while read -r bad; do
    is_renewed "${bad%%:*}" || { damage "${bad%%:*} is missing or damaged"; check_failed=1; }
  done <"$work/bad"
  return $check_failed
}

is_renewed() { # KEY: it was damaged once, and skep has stored it anew in other bytes, which it has noted
  [ -f "$repository/$1" ] && [ -f "$repository/renewed/$1/$(sha256sum <"$repository/$1" | cut -c1-64)" ]
}

walk_part() { # FILE: the listing of `part`, which must have as many files and bytes as the manifest says
  if [ "$sealed" = true ]; then
    need_identity
    walk_stored "$work/stored" || return
    while read -r line; do case $line in *'  listings/'*) printf '%s\n' "$line" ;; esac; done <"$work/stored" >"$work/sums"
    check_stored "$work/sums" || return
  fi
  walk listing "$(printf '%s' "$part" | jq -r .root)" "$1" || return
  counted=$(jq -nc 'reduce (inputs | select(.o)) as $e ([0, 0]; [.[0] + 1, .[1] + $e.s])' <"$1")
  [ "$counted" = "$(printf '%s' "$part" | jq -c '[.files, .bytes]')" ] ||
    damage "the listing of $(printf '%s' "$part" | jq -r '.node + " " + .store') is not as long as the manifest says"
}

# How jq sees an entry: the key of its object, the SHA-256 of its plain content, and a line for `sha256sum -c`.
JQ_ENTRY='
  def suffix: {"zstd": ".zst", "age": ".age", "zstd+age": ".zst.age"}[.e // ""] // "";
  def key: "objects/" + .o[:2] + "/" + .o + suffix;
  def plain: .h // .o;
  def sum: plain + "  ./" + .p
    | if test("[\\\\\n]") then "\\" + (gsub("\\\\"; "\\\\") | gsub("\n"; "\\n")) else . end;
  def folder: "./" + (.p / "/" | .[:-1] | join("/"));
  # An attachment of an unsealed repository has the name of its object: many are copied at once.
  def is_alike: .o == (.p / "/")[-1] and suffix == "";
  def runs(entries; f): foreach (entries, null) as $e ({};
    if $e != null and .of == ($e | f) and (.run | length) < 200 then .run += [$e] | .out = null
    else .out = .run | .run = [$e] | .of = if $e == null then null else ($e | f) end end; .out // empty);
'

# --- laying out -----------------------------------------------------------------------------------------------------

put() { # KEY PATH: one file, over what is there
  [ "${2%/*}" = "$folder_made" ] || { mkdir -p -- "${2%/*}" && folder_made=${2%/*}; }
  case $1 in
    *.zst | *.age) { [ ! -e "$2" ] && [ ! -L "$2" ]; } || rm -f -- "$2" && opened "$1" >"$2" ;;
    *) cp --remove-destination --no-preserve=mode -- "$repository/$1" "$2" ;;
  esac
}

put_alike() { # FOLDER KEY…: raw objects under their own names
  mkdir -p -- "$1" && cd -- "$1" || return
  put_alike_to=$PWD
  shift
  (cd "$repository" && cp --remove-destination --no-preserve=mode -t "$put_alike_to" -- "$@")
  cd -- "$out"
}

judge() { # KEY PATH SHA256 STORED: a file that is not right is damage only if its object is, and not if only the identity does not fit
  rm -f "$work/closed"
  if [ "$(opened "$1" 2>/dev/null | sha256sum | cut -c1-64)" = "$3" ]; then
    printf 'restore.sh: %s could not be written\n' "$2" >&2
    echo . >>"$work/unwritten"
    return
  fi
  rm -f -- "$2"
  if [ -e "$work/closed" ] && { [ "$(sha256sum <"$repository/$1" | cut -c1-64)" = "$4" ] || is_renewed "$1"; }; then
    printf 'restore.sh: %s is sealed to an older key; it holds %s\n' "$1" "$2" >&2
    echo . >>"$work/unopened"
  else
    damage "$1 is missing or damaged; it holds $2"
  fi
}

not_right() { # writes those of $work/files whose file is not there with its content, checked by `sha256sum`
  sha256sum -c "$work/sums" >"$work/status" 2>/dev/null
  paste "$work/files" "$work/status" | jq -Rr 'select(endswith(": OK") | not) | split("\t")[0]'
}

lay_out() { # ID NODE STORE FOLDER PREFIX
  open_part "$1" "$2" "$3"
  walk_part "$work/listing" || finish
  jq -c --arg prefix "$5" 'select(.p | startswith($prefix)) | .p |= ltrimstr($prefix)' <"$work/listing" >"$work/entries"
  jq -e '.p | split("/") | all(. != "" and . != "." and . != "..")' <"$work/entries" >/dev/null || [ ! -s "$work/entries" ] ||
    fail 4 'a path of the listing leads out of the folder'
  jq -c 'select(.o)' <"$work/entries" >"$work/files"
  jq -r "$JQ_ENTRY sum" <"$work/files" >"$work/sums"
  umask 027
  mkdir -p -- "$4" && cd -- "$4" || fail 1 "cannot write to $4"
  out=$PWD
  folder_made=
  not_right >"$work/missing"
  jq -nr "$JQ_ENTRY"'runs(inputs; if is_alike then folder else null end)
    | if .[0] | is_alike then "put_alike \(.[0] | folder | @sh) \(map(key) | join(" "))"
      else .[] | "put \(key) \("./" + .p | @sh)" end' <"$work/missing" >"$work/steps"
  . "$work/steps"
  not_right | jq -r "$JQ_ENTRY"'"judge \(key) \("./" + .p | @sh) \(plain) \(.z[1]? // "")"' >"$work/steps"
  . "$work/steps"
  jq -nr "$JQ_ENTRY"'def octal: . as $m | [512, 64, 8, 1] | map((($m / .) | floor) % 8 | tostring) | add;
    runs(inputs | select(.m); .m) | "chmod \(.[0].m | octal) -- \(map("./" + .p) | @sh)"' <"$work/files" >"$work/steps"
  . "$work/steps" 2>/dev/null
  # Links last, so that no file is written through one.
  jq -r 'select(.l) | "ln -sfn -- \(.l | @sh) \("./" + .p | @sh)"' <"$work/entries" >"$work/steps"
  . "$work/steps"
  finish
  sync -f . 2>/dev/null || sync
  printf '%s of %s: %s files in %s, every one with the right SHA-256\n' "$3" "$2" "$(wc -l <"$work/files")" "$4"
}

# --- commands -------------------------------------------------------------------------------------------------------

list() {
  for folder in "$repository"/backups/*/; do
    id=${folder%/}
    id=${id##*/}
    [ -e "$folder/manifest.json" ] || [ -e "$folder/manifest.copy.json" ] || continue
    # Instead of a manifest: a run that was taken for dead. There is no such backup.
    [ "$(head -c 9 "$folder/manifest.json" 2>/dev/null)" != revoked ] || [ -e "$folder/manifest.copy.json" ] || continue
    if find_manifest "$id"; then
      jq -r '[.id, .state, .cluster.name,
        (if .cutMicros then "cut " + (.cutMicros[:-6] | tonumber | todate) else "window of \(.windowMs) ms" end),
        "\([.parts[].files] | add) files", "\([.parts[].bytes] | add) bytes"] | @tsv' "$manifest"
    else
      printf '%s\tDAMAGED\n' "$id"
      damage "backup $id has no manifest that can be trusted"
    fi
  done >"$work/list"
  sort -r "$work/list"
  finish
}

check() { # ID: without an identity the listings of a sealed repository are checked as they are stored
  open_backup "$1"
  jq -r '.leave[] | "\(.sha256)  backups/\($id)/\(.file)"' --arg id "$1" "$manifest" >"$work/wanted"
  jq -c '.parts[]' "$manifest" >"$work/parts"
  while read -r part; do
    [ "$sealed$identity" = true ] || walk_part "$work/listing"
    walk_stored "$work/stored" && cat "$work/stored" >>"$work/wanted"
  done <"$work/parts"
  sort -u "$work/wanted" >"$work/sums"
  check_stored "$work/sums"
  finish
  printf 'backup %s is whole: %s files of the repository, every one with the right SHA-256\n' "$1" "$(wc -l <"$work/sums")"
}

details() { # ID
  open_backup "$1"
  if [ "$sealed" = false ]; then
    jq .details "$manifest"
  else
    need_identity
    jq -r .sealed "$manifest" | base64 -d | unseal >"$work/details" || {
      [ ! -e "$work/closed" ] || echo . >>"$work/unopened"
      finish
      fail 4 "the details of backup $1 cannot be opened"
    }
    jq . "$work/details"
  fi
}

repository=
identity=
identity_tried=
while getopts r:i: option; do
  case $option in
    r) repository=$OPTARG ;;
    i) identity=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
for tool in sha256sum jq zstd; do need_tool "$tool"; done
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
repository=$(cd "${repository:-$here/../..}" 2>/dev/null && pwd) && [ -d "$repository/backups" ] ||
  fail 10 'there is no repository here: name its folder by -r REPOSITORY'
check_format
case $identity in '' | /*) ;; *) identity=$PWD/$identity ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/skep-restore.XXXXXX") && work=$(cd "$work" && pwd) || fail 1 'no room for notes: set TMPDIR'
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case "$1 $#" in
  'list 1') list ;;
  'check 2') check "$2" ;;
  'details 2') details "$2" ;;
  'parts 2') open_backup "$2" && jq -r '.parts[] | [.node, .store, .files, .bytes] | @tsv' "$manifest" ;;
  'files 4' | 'files 5')
    open_part "$2" "$3" "$4"
    walk_part "$work/listing"
    finish
    jq -c --arg prefix "${5-}" '.p | select(startswith($prefix))' <"$work/listing"
    ;;
  'lay-out 5' | 'lay-out 6') lay_out "$2" "$3" "$4" "$5" "${6-}" ;;
  *) usage ;;
esac
