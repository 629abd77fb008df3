// SPDX-License-Identifier: MIT
// Mount point and path (see paths.h). What the front servers send, for a request of /a/b:
//
//   over HTTP                                   the target, percent-encoded
//   nginx with its own fastcgi_params           SCRIPT_NAME /a/b, no PATH_INFO
//   Apache mod_proxy_fcgi, HAProxy              the same, unless told to split
//   nginx as in examples/deploy, Caddy          SCRIPT_NAME empty, PATH_INFO /a/b
//   nginx with PATH_INFO added to its params    SCRIPT_NAME /a/b and PATH_INFO /a/b
//   nginx that splits, Apache, HAProxy likewise SCRIPT_NAME /a, PATH_INFO /b
//   lighttpd, fix-root-scriptname               SCRIPT_NAME empty, PATH_INFO /a/b
//   lighttpd, without it                        SCRIPT_NAME /a, PATH_INFO /b, be "/" or "/a" the mount point
//
// So a SCRIPT_NAME without PATH_INFO is the path, and lighttpd's split says nothing. Where the two agree on a split,
// it is believed, unless `root_path` says where the application is.
#include "py/paths.h"

#include "proto/fields.h"
#include "proto/percent.h"

static bool begins_with(struct sm_str text, struct sm_str prefix) {
    return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

static struct sm_str after(struct sm_str text, size_t len) {
    return (struct sm_str){text.ptr + len, text.len - len};
}

// --- what the front server sends ---

static struct sm_str decoded(struct sm_str text, char *scratch) {
    if (text.len == 0 || memchr(text.ptr, '%', text.len) == NULL) {
        return text;
    }
    return (struct sm_str){scratch, sm_percent_decode(scratch, text)};
}

// The target of an OPTIONS request for the whole server is "*", which is no path (RFC 9112 3.2.4).
static struct sm_paths paths_of_http(const struct sm_head *head, char *scratch) {
    struct sm_str path = decoded(sm_head_text(head, head->path), scratch);
    bool is_path = path.len > 0 && path.ptr[0] == '/';
    return (struct sm_paths){{NULL, 0}, is_path ? path : (struct sm_str){NULL, 0}};
}

// Whether the client asked for exactly this path, by REQUEST_URI.
static bool is_target(const struct sm_head *head, struct sm_str path, char *scratch) {
    struct sm_str target = sm_head_text(head, head->target);
    const char *mark = target.len == 0 ? NULL : memchr(target.ptr, '?', target.len);
    if (mark != NULL) {
        target.len = (size_t)(mark - target.ptr);
    }
    return sm_str_eq(decoded(target, scratch), path);
}

// Writes them one after the other, with one slash between them.
static struct sm_str join(struct sm_str script, struct sm_str path, char *scratch) {
    if (path.len == 0 || (script.len == 0 && path.ptr[0] == '/')) {
        return path.len == 0 ? script : path;
    }
    while (script.len > 0 && script.ptr[script.len - 1] == '/') {
        script.len--;
    }
    size_t len = script.len;
    if (len > 0) {
        memcpy(scratch, script.ptr, len);
    }
    if (path.ptr[0] != '/') {
        scratch[len++] = '/';
    }
    memcpy(scratch + len, path.ptr, path.len);
    return (struct sm_str){scratch, len + path.len};
}

static bool is_split_believed(const struct sm_head *head) {
    return !begins_with(sm_head_find(head, SM_FIELD_NAME("", "SERVER_SOFTWARE")), SM_STR("lighttpd"));
}

static struct sm_paths paths_of_cgi(const struct sm_head *head, char *scratch) {
    struct sm_str script = sm_head_text(head, head->script);
    struct sm_str path = sm_head_text(head, head->path);
    if (sm_str_eq(script, path) && is_target(head, path, scratch)) {
        return (struct sm_paths){{NULL, 0}, path};
    }
    struct sm_str whole = join(script, path, scratch);
    if (script.len == 0 || path.len == 0 || !is_split_believed(head)) {
        return (struct sm_paths){{NULL, 0}, whole};
    }
    while (script.len > 0 && script.ptr[script.len - 1] == '/') {
        script.len--;
    }
    return (struct sm_paths){{scratch, script.len}, after(whole, script.len)};
}

// --- where the application is ---

// The front server may have taken the mount point off the path, or not.
static struct sm_paths mounted_at(struct sm_str root, struct sm_str whole) {
    bool is_below = begins_with(whole, root) && (whole.len == root.len || whole.ptr[root.len] == '/');
    return (struct sm_paths){root, is_below ? after(whole, root.len) : whole};
}

size_t sm_paths_room(const struct sm_head *head) {
    size_t one = head->script.len + head->path.len + 1;
    return one > head->target.len ? one : head->target.len;
}

struct sm_paths sm_paths_of(const struct sm_head *head, struct sm_str root, char *scratch) {
    struct sm_paths paths = head->kind == SM_HEAD_HTTP ? paths_of_http(head, scratch) : paths_of_cgi(head, scratch);
    if (root.len == 0) {
        return paths;
    }
    // A split script and its path lie one after the other in the scratch.
    struct sm_str whole =
        paths.script.len == 0 ? paths.path : (struct sm_str){paths.script.ptr, paths.script.len + paths.path.len};
    return mounted_at(root, whole);
}
