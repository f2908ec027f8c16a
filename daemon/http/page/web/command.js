/* Writes what the page does as commands for a shell: colconvctl and curl. */
import { token } from "./api.js";

const USUAL = "http://127.0.0.1:8470"; /* where colconvctl looks by itself */

const quote = (s) => (/^[\w@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", "'\\''")}'`);
const words = (list) => list.map((w) => quote(String(w))).join(" ");

const ctl = (command) => ["colconvctl", ...(location.origin === USUAL ? [] : ["--server", location.origin]), ...(token() ? ["--token-file", "TOKEN-FILE"] : []), command];
const curl = () => ["curl", "-f", ...(token() ? ["-H", "Authorization: Bearer TOKEN"] : [])];

/* Options of colconvctl that do not have the name of the job's field (daemon/spec/fields.def). */
const NAMES = { labels: "label", timeout: "job-timeout" };

function option(key, value) {
	const name = `--${NAMES[key] ?? key.replaceAll("_", "-")}`;

	if (key === "parity")
		return value === false ? ["--no-parity"] : Object.entries(value).flatMap(([k, v]) => option(k, v));
	if (key === "cache")
		return value ? [] : ["--no-cache"];
	if (key === "labels")
		return Object.entries(value).flatMap(([k, v]) => [name, `${k}=${v}`]);
	if (key === "reference")
		return value.flatMap((file) => [name, file]);
	return [name, Array.isArray(value) ? value.join(",") : value];
}

/* The command that submits the job `body`, as POST /v1/jobs takes it. */
export const submitCommand = ({ model, ...options }) => words([...ctl("submit"), model || "MODEL", ...Object.entries(options).flatMap(([k, v]) => option(k, v))]);
export const submitRequest = (body) => words([...curl(), "-d", JSON.stringify(body), `${location.origin}/v1/jobs`]);

export const filesPath = (id, file) => `/v1/jobs/${id}/files/${encodeURIComponent(file)}`;
export const fetchCommand = (id) => words([...ctl("fetch"), id, "-o", `job-${id}`]);
/* One request for each file, which resumes a file that is there in part. */
export const fetchRequests = (id, files) =>
	files.map((f) => words([...curl(), "-C", "-", "--create-dirs", "-o", `job-${id}/${f.name}`, `${location.origin}${filesPath(id, f.name)}`])).join("\n");
