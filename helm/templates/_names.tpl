{{/* At most 40 characters: "-calibrator-" and the hash of a revision must still fit into a label. */}}
{{- define "consensus.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if contains $name .Release.Name }}{{ $full = .Release.Name }}{{ end -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "consensus.labels" -}}
{{ include "consensus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "consensus.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "consensus.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end -}}
{{- end }}

{{- define "consensus.serviceAccount" -}}
{{- $made := .Values.serviceAccount.create | ternary (include "consensus.fullname" .) "default" -}}
{{- default $made .Values.serviceAccount.name -}}
{{- end }}

{{/* The port of a "host:port" of the configuration. */}}
{{- define "consensus.port" -}}
{{- splitList ":" . | last -}}
{{- end }}
