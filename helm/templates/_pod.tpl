{{/* What every pod has in common: {"root": …, "config": name of the config map}. */}}
{{- define "consensus.podCommon" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
automountServiceAccountToken: false
# A Service named like a variable of the configuration must not set it.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: config
    configMap: {name: {{ .config }}}
  - name: tmp
    emptyDir: {sizeLimit: 256Mi}
  {{- range $index, $file := .root.Values.files }}
  - name: files-{{ $index }}
    secret: {secretName: {{ $file.secret }}}
  {{- end }}
{{- end }}

{{/* What every container has in common: {"root": …}. */}}
{{- define "consensus.containerCommon" -}}
image: {{ include "consensus.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: config, mountPath: /etc/consensus, readOnly: true}
  - {name: tmp, mountPath: /tmp}
  {{- range $index, $file := .root.Values.files }}
  - {name: files-{{ $index }}, mountPath: {{ $file.path }}, readOnly: true}
  {{- end }}
{{- end }}

{{- define "consensus.commonEnv" -}}
- {name: CONSENSUS_CONFIG, value: /etc/consensus/consensus.yaml}
# The root file system cannot be written: caches go where the pod's own memory of files is.
- {name: HOME, value: /tmp}
{{- end }}
