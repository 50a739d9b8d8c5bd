{{- define "tollgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tollgate.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tollgate.labels" -}}
{{ include "tollgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "tollgate.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "tollgate.secretName" -}}
{{- default (include "tollgate.fullname" .) .Values.secret.name -}}
{{- end -}}

{{- define "tollgate.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tollgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What would lose data or not work is refused when the chart is rendered. */}}
{{- define "tollgate.check" -}}
{{- if and .Values.secret.name .Values.secret.values -}}
{{- fail "secret.name and secret.values: give one of them" -}}
{{- end -}}
{{- if eq .Values.database "embedded" -}}
{{- if or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled -}}
{{- fail "database: embedded serves one replica: set replicas=1 and autoscaling.enabled=false, or database=postgresql" -}}
{{- end -}}
{{- if and (eq .Values.workload "Deployment") (not .Values.persistence.existingClaim) -}}
{{- fail "database: embedded in a Deployment needs persistence.existingClaim: keys and spend would go with the pod" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (eq .Values.workload "StatefulSet") -}}
{{- fail "persistence.existingClaim is for workload=Deployment; a StatefulSet makes a claim for each replica" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.cpu) (not .Values.autoscaling.inFlight) -}}
{{- fail "autoscaling: set cpu or inFlight" -}}
{{- end -}}
{{- end -}}
